"""Puts programs into a bucket, where the pipeline's stages look for them: under `tools/`, by their names.

    tools.py ENDPOINT BUCKET FILE...
"""

import pathlib
import sys

import boto3

endpoint, bucket, *files = sys.argv[1:]
s3 = boto3.client(
    "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
)
s3.create_bucket(Bucket=bucket)
for file in map(pathlib.Path, files):
    s3.upload_file(str(file), bucket, f"tools/{file.name}")
