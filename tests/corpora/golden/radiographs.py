"""Chest radiographs with reports, as their authors lay them out."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.corpora.golden.writing import put

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
   <meta type="rr"/>
   <uId id="CXR{uid}"/>
   <licenseType>open-access</licenseType>
   <MedlineCitation><Article><Abstract>
      <AbstractText Label="COMPARISON">None.</AbstractText>
      <AbstractText Label="INDICATION">Positive TB test</AbstractText>
      <AbstractText Label="FINDINGS">{findings}</AbstractText>
      <AbstractText Label="IMPRESSION">Normal chest.</AbstractText>
   </Abstract></Article></MedlineCitation>
   <MeSH><major>normal</major></MeSH>
   {views}
</eCitation>
"""


def openi_reports(root: Path, pictures: list[bytes]) -> None:
    """NLMCXR_reports.tgz and NLMCXR_png.tgz: two views of most reports."""
    for start in range(0, len(pictures), 2):
        uid = start // 2 + 1
        views = ""
        for number, data in enumerate(pictures[start : start + 2]):
            name = f"CXR{uid}_1_IM-000{uid}-{number}001"
            put(root / "NLMCXR_png" / f"{name}.png", data)
            views += f'<parentImage id="{name}"><caption>Xray Chest PA</caption><url>/x.jpg</url></parentImage>'
        findings = "The lungs &amp; heart are  clear." if start else ""
        put(root / "ecgen-radiology" / f"{uid}.xml", REPORT.format(uid=uid, findings=findings, views=views).encode())
    put(root / "ecgen-radiology" / "3999.xml", REPORT.format(uid=3999, findings="No image.", views="").encode())
    lost = REPORT.format(uid=4000, findings="Lost.", views='<parentImage id="CXR4000_1"/>')
    put(root / "ecgen-radiology" / "4000.xml", lost.encode())
    put(root / "ecgen-radiology" / "4001.xml", lost.encode()[:200])


def openi_tables(root: Path, pictures: list[bytes]) -> None:
    """The two tables of Kaggle's copy."""
    reports = "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
    views = "uid,filename,projection\n"
    for number, data in enumerate(pictures):
        name = f"{number // 2}_IM-{number:04d}.dcm.png"
        put(root / "images" / "images_normalized" / name, data)
        views += f"{number // 2},{name},{'Lateral' if number % 2 else 'Frontal'}\n"
        if number % 2 == 0:
            reports += f'{number // 2},normal,normal,Xray Chest PA,Cough,,"Clear, {number}.",Normal chest.\n'
    reports += "999,normal,normal,Xray Chest PA,Cough,,No view.,\n"
    put(root / "indiana_reports.csv", reports.encode())
    put(root / "indiana_projections.csv", (views + "999999,gone.dcm.png,Frontal\n").encode())


def mimic(root: Path, pictures: list[bytes]) -> None:
    """MIMIC-CXR-JPG 2.0.0 and, unpacked into the same folders, MIMIC-CXR's reports of all studies but the last."""
    splits = "dicom_id,study_id,subject_id,split\n"
    metadata = "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition\n"
    for number, data in enumerate(pictures):
        study, dicom = f"s{50000000 + number // 2}", f"{number:08x}-{number:08x}"
        patient = root / "files" / "p10" / "p10000032"
        put(patient / study / f"{dicom}.jpg", data)
        if number < len(pictures) - 2:
            put(patient / f"{study}.txt", f"FINDINGS: Clear, {number // 2}.\n".encode())
        splits += f"{dicom},{study[1:]},10000032,{'test' if number % 2 else 'train'}\n"
        metadata += f"{dicom},10000032,{study[1:]},CHEST (PA AND LAT),{'PA' if number % 2 else 'LATERAL'}\n"
    put(root / "mimic-cxr-2.0.0-split.csv.gz", gzip.compress(splits.encode(), mtime=0))
    put(root / "mimic-cxr-2.0.0-metadata.csv.gz", gzip.compress(metadata.encode(), mtime=0))
