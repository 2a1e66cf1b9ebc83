"""Uses the simulator's S3 as clients use S3's, with boto3, and fails where it isn't S3.

    target/venvs/moto/bin/python tests/python/simulator_s3.py ENDPOINT
"""

import base64
import datetime
import hashlib
import io
import json
import urllib.error
import urllib.request
import uuid

import simulated
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import MissingDependencyException
from simulated import ENDPOINT, refused

MB = 1024 * 1024


def client(region="us-east-1", account="123456789012", **config):
    own = {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}}
    return simulated.client("s3", region, account, **own, **config)


def name():
    return f"bucket-{uuid.uuid4().hex[:12]}"


s3 = client()
west = client("eu-west-1")


def buckets():
    here, there = name(), name()
    s3.create_bucket(Bucket=here)
    s3.create_bucket(Bucket=here)  # The oldest region says nothing of it.
    west.create_bucket(Bucket=there, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    again = {"Bucket": there, "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    refused("BucketAlreadyOwnedByYou", west.create_bucket, 409, **again)
    refused("BucketAlreadyExists", client(account="210987654321").create_bucket, 409, Bucket=here)
    refused("IllegalLocationConstraintException", west.create_bucket, 400, Bucket=name())
    refused("InvalidBucketName", s3.create_bucket, 400, Bucket="under_score")

    listed = {bucket["Name"]: bucket for bucket in s3.list_buckets()["Buckets"]}
    assert here in listed and there in listed, listed
    age = datetime.datetime.now(datetime.timezone.utc) - listed[here]["CreationDate"]
    assert abs(age) < datetime.timedelta(minutes=1), age
    pages = s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1})
    assert {bucket["Name"] for page in pages for bucket in page["Buckets"]} == set(listed)

    tagged = name()
    tags = [{"Key": "taskcat-id", "Value": "1"}]
    west.create_bucket(Bucket=tagged, CreateBucketConfiguration={"LocationConstraint": "eu-west-1", "Tags": tags})
    assert west.get_bucket_tagging(Bucket=tagged)["TagSet"] == tags
    tagged = name()
    s3.create_bucket(Bucket=tagged, CreateBucketConfiguration={"Tags": tags})
    assert s3.get_bucket_tagging(Bucket=tagged)["TagSet"] == tags
    twice = {"Tags": tags * 2}
    refused("InvalidTag", s3.create_bucket, 400, Bucket=name(), CreateBucketConfiguration=twice)

    assert s3.get_bucket_location(Bucket=here)["LocationConstraint"] is None
    assert s3.get_bucket_location(Bucket=there)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=here)["BucketRegion"] == "us-east-1"
    refused("404", s3.head_bucket, 404, Bucket=name())
    refused("NoSuchBucket", s3.list_objects_v2, 404, Bucket=name())

    # boto3 follows a redirect to another region by itself; what comes first is S3's answer.
    redirects = []
    follows = client()
    follows.meta.events.register("response-received.s3", lambda response_dict, **_: redirects.append(response_dict))
    follows.put_object(Bucket=there, Key="k", Body=b"v")
    assert redirects[0]["status_code"] == 301, redirects
    assert redirects[0]["headers"]["x-amz-bucket-region"] == "eu-west-1"
    assert west.get_object(Bucket=there, Key="k")["Body"].read() == b"v"

    refused("BucketNotEmpty", west.delete_bucket, 409, Bucket=there)
    west.delete_object(Bucket=there, Key="k")
    west.delete_bucket(Bucket=there)
    refused("NoSuchBucket", west.delete_bucket, 404, Bucket=there)


def accounts():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    other = client(account="210987654321")
    refused("403", other.head_bucket, 403, Bucket=bucket)
    refused("AccessDenied", other.get_object, 403, Bucket=bucket, Key="k")
    refused("AccessDenied", s3.get_object, 403, Bucket=bucket, Key="k", ExpectedBucketOwner="210987654321")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    refused("AccessDenied", other.put_object, 403, Bucket=bucket, Key="k", Body=b"w")
    assert bucket not in [found["Name"] for found in other.list_buckets()["Buckets"]]


def objects():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    body = b"hello, world"
    md5 = hashlib.md5(body)
    put = s3.put_object(
        Bucket=bucket,
        Key="a/ü +&.txt",
        Body=body,
        ContentType="text/plain",
        CacheControl="no-cache",
        Metadata={"who": "me"},
        Tagging="a=b&c=d+e",
        ContentMD5=base64.b64encode(md5.digest()).decode(),
    )
    assert put["ETag"] == f'"{md5.hexdigest()}"' and put["ServerSideEncryption"] == "AES256", put
    got = s3.get_object(Bucket=bucket, Key="a/ü +&.txt")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("text/plain", "no-cache", {"who": "me"})
    assert got["TagCount"] == 2 and got["ContentLength"] == 12 and got["ETag"] == put["ETag"], got
    head = s3.head_object(Bucket=bucket, Key="a/ü +&.txt")
    assert head["ContentLength"] == 12 and head["Metadata"] == {"who": "me"}, head
    tags = s3.get_object_tagging(Bucket=bucket, Key="a/ü +&.txt")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d e"}], tags

    part = s3.get_object(Bucket=bucket, Key="a/ü +&.txt", Range="bytes=7-")
    assert part["Body"].read() == b"world" and part["ContentRange"] == "bytes 7-11/12", part
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="a/ü +&.txt", Range="bytes=-3")["Body"].read() == b"rld"
    refused("InvalidRange", s3.get_object, 416, Bucket=bucket, Key="a/ü +&.txt", Range="bytes=12-")
    refused("NoSuchKey", s3.get_object, 404, Bucket=bucket, Key="b")
    refused("404", s3.head_object, 404, Bucket=bucket, Key="b")

    same = {"Bucket": bucket, "Key": "a/ü +&.txt"}
    refused("304", s3.get_object, 304, IfNoneMatch=put["ETag"], **same)
    refused("PreconditionFailed", s3.get_object, 412, IfMatch='"other"', **same)
    refused("304", s3.get_object, 304, IfModifiedSince=got["LastModified"], **same)
    refused("PreconditionFailed", s3.put_object, 412, IfNoneMatch="*", Body=b"", **same)
    s3.put_object(IfMatch=put["ETag"], Body=body, **same)

    refused("BadDigest", s3.put_object, 400, Body=b"x", ContentMD5=base64.b64encode(md5.digest()).decode(), **same)
    refused("InvalidDigest", s3.put_object, 400, Body=b"x", ContentMD5="x", **same)
    for algorithm in ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"]:
        try:
            summed = s3.put_object(Bucket=bucket, Key="sum", Body=body, ChecksumAlgorithm=algorithm)
        except MissingDependencyException:  # botocore computes some of them only with awscrt.
            continue
        assert summed[f"Checksum{algorithm}"], summed
        checked = s3.get_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
        assert checked[f"Checksum{algorithm}"] == summed[f"Checksum{algorithm}"] and checked["Body"].read() == body
    refused("BadDigest", s3.put_object, 400, Body=b"x", ChecksumCRC32="AAAAAA==", **same)
    # A body of unknown checksum is sent in AWS's chunks, with the checksum behind it.
    s3.upload_fileobj(io.BytesIO(body), bucket, "stream")
    assert s3.get_object(Bucket=bucket, Key="stream")["Body"].read() == body

    copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a/ü +&.txt"})
    assert copy["CopyObjectResult"]["ETag"] == put["ETag"], copy
    copied = s3.get_object(Bucket=bucket, Key="copy")
    assert copied["Body"].read() == body
    refused("NoSuchKey", s3.copy_object, 404, Bucket=bucket, Key="c", CopySource=f"{bucket}/none")
    refused("InvalidRequest", s3.copy_object, 400, Bucket=bucket, Key="copy", CopySource=f"{bucket}/copy")
    new = {"MetadataDirective": "REPLACE", "Metadata": {"new": "er"}, "CopySource": f"{bucket}/copy"}
    s3.copy_object(Bucket=bucket, Key="copy", **new)
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"new": "er"}

    refused("AccessControlListNotSupported", s3.put_object, 400, ACL="public-read", Body=b"", **same)
    s3.put_object(ACL="bucket-owner-full-control", Body=b"", **same)
    keys = [{"Key": key} for key in ["copy", "sum", "never"]]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    assert sorted(found["Key"] for found in deleted["Deleted"]) == ["copy", "never", "sum"], deleted
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def listings():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    keys = sorted([f"a/{n:02}" for n in range(12)] + [f"b/{n}/x y+ü" for n in range(3)] + ["c", "d&<e"])
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    def v2(size, **arguments):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}, **arguments
        )
        pages = list(pages)
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return found, [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])], len(pages)

    assert v2(1000) == (keys, [], 1)
    assert v2(5) == (keys, [], 4)
    assert v2(1, Delimiter="/") == (["c", "d&<e"], ["a/", "b/"], 4)
    assert v2(10, Prefix="b/", Delimiter="/") == ([], ["b/0/", "b/1/", "b/2/"], 1)
    assert v2(10, StartAfter="b/2/x y+ü") == (["c", "d&<e"], [], 1)
    assert v2(10, Prefix="none") == ([], [], 1)
    pages = list(s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}))
    assert [item["Key"] for page in pages for item in page["Contents"]] == keys and len(pages) == 5
    marked = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=1)
    assert marked["NextMarker"] == "a/" and marked["IsTruncated"], marked
    refused("InvalidArgument", s3.list_objects_v2, 400, Bucket=bucket, ContinuationToken="x")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 5})
    versions = [item for page in pages for item in page["Versions"]]
    assert [item["Key"] for item in versions] == keys and {item["VersionId"] for item in versions} == {"null"}


def versions():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"0")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=str(n).encode())["VersionId"] for n in (1, 2)]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] and marker["VersionId"] not in ids, marker
    gone = refused("NoSuchKey", s3.get_object, 404, Bucket=bucket, Key="k")
    assert gone["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true", gone
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=ids[0])["Body"].read() == b"1"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"0"
    refused("NoSuchVersion", s3.get_object, 404, Bucket=bucket, Key="k", VersionId="no")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    refused("BucketNotEmpty", s3.delete_bucket, 409, Bucket=bucket)
    seen, size = [], 1
    arguments = {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=size, **arguments)
        seen += page.get("Versions", []) + page.get("DeleteMarkers", [])
        if not page["IsTruncated"]:
            break
        arguments = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert [found["VersionId"] for found in seen] == [marker["VersionId"], ids[1], ids[0], "null"], seen
    assert [found["IsLatest"] for found in seen] == [True, False, False, False]
    objects = [{"Key": found["Key"], "VersionId": found["VersionId"]} for found in seen]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    suspended(bucket)
    s3.delete_bucket(Bucket=bucket)


def suspended(bucket):
    """Without new versions, what is put or deleted takes the place of the version with the ID `null`."""
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for body in [b"1", b"2"]:
        assert s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] == "null"
    found = s3.list_object_versions(Bucket=bucket)
    assert [version["VersionId"] for version in found["Versions"]] == ["null", kept], found
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] and marker["VersionId"] == "null", marker
    again = s3.delete_object(Bucket=bucket, Key="k")
    assert again["VersionId"] == "null", again
    found = s3.list_object_versions(Bucket=bucket)
    assert [version["VersionId"] for version in found["Versions"]] == [kept], found
    assert [marker["VersionId"] for marker in found["DeleteMarkers"]] == ["null"], found
    refused("BucketNotEmpty", s3.delete_bucket, 409, Bucket=bucket)
    gone = s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert gone["DeleteMarker"] and gone["VersionId"] == "null", gone
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=kept)


def multipart():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    body = bytes(range(256)) * (4096 * 17)  # 17 MB, in parts of 8.
    s3.upload_fileobj(io.BytesIO(body), bucket, "large", Config=TransferConfig(multipart_chunksize=8 * MB))
    head = s3.head_object(Bucket=bucket, Key="large")
    parts = [body[at : at + 8 * MB] for at in range(0, len(body), 8 * MB)]
    etag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert head["ETag"] == f'"{etag}-3"' and head["ContentLength"] == len(body), head
    target = io.BytesIO()
    s3.download_fileobj(bucket, "large", target)
    assert target.getvalue() == body

    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    same = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(found["Key"], found["UploadId"]) for found in listed] == [("k", upload)], listed
    etags = [s3.upload_part(PartNumber=n, Body=bytes([n]) * 6 * MB, **same)["ETag"] for n in (1, 2)]
    copied = s3.upload_part_copy(
        PartNumber=3, CopySource=f"{bucket}/large", CopySourceRange="bytes=0-255", **same
    )["CopyPartResult"]["ETag"]
    found = s3.list_parts(MaxParts=2, **same)
    assert [part["Size"] for part in found["Parts"]] == [6 * MB, 6 * MB] and found["IsTruncated"], found
    wanted = [{"PartNumber": n + 1, "ETag": etag} for n, etag in enumerate([*etags, copied])]
    complete = s3.complete_multipart_upload
    refused("InvalidPartOrder", complete, 400, MultipartUpload={"Parts": wanted[::-1]}, **same)
    wrong = [{"PartNumber": 1, "ETag": '"0"'}]
    refused("InvalidPart", complete, 400, MultipartUpload={"Parts": wrong}, **same)
    small = [{"PartNumber": 3, "ETag": copied}, {"PartNumber": 4, "ETag": s3.upload_part(PartNumber=4, Body=b"x", **same)["ETag"]}]
    refused("EntityTooSmall", complete, 400, MultipartUpload={"Parts": small}, **same)
    complete(MultipartUpload={"Parts": wanted}, **same)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 12 * MB + 256
    refused("NoSuchUpload", s3.list_parts, 404, **same)
    aborted = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=aborted)
    refused("NoSuchUpload", s3.upload_part, 404, Bucket=bucket, Key="k", UploadId=aborted, PartNumber=1, Body=b"")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def settings():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, 404, Bucket=bucket)
    tags = [{"Key": "a", "Value": "b"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    refused("InvalidTag", s3.put_bucket_tagging, 400, Bucket=bucket, Tagging={"TagSet": tags + tags})
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, 404, Bucket=bucket)

    refused("NoSuchBucketPolicy", s3.get_bucket_policy, 404, Bucket=bucket)
    refused("MalformedPolicy", s3.put_bucket_policy, 400, Bucket=bucket, Policy="no")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    public = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    refused("AccessDenied", s3.put_bucket_policy, 403, Bucket=bucket, Policy=public)

    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256", rules
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True} and len(block) == 4, block
    s3.delete_public_access_block(Bucket=bucket)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, 404, Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert urllib.request.urlopen(f"{ENDPOINT}/{bucket}/k").read() == b"v"
    s3.delete_bucket_policy(Bucket=bucket)

    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, 404, Bucket=bucket)
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]

    refused("AccessControlListNotSupported", s3.put_bucket_acl, 400, Bucket=bucket, ACL="private")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    s3.put_object(Bucket=bucket, Key="public", Body=b"v", ACL="public-read")
    assert len(s3.get_object_acl(Bucket=bucket, Key="public")["Grants"]) == 2
    assert urllib.request.urlopen(f"{ENDPOINT}/{bucket}/public").read() == b"v"


def unsigned(url, headers=None, data=None, method=None):
    request = urllib.request.Request(url, headers=headers or {}, data=data, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["x-taskcat-simulated"] == "true"
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        assert error.headers["x-taskcat-simulated"] == "true"
        return error.code, error.read()


def urls():
    bucket = name()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b", Body=b"v", ContentType="text/x")
    for version in ["s3v4", "s3"]:
        signer = client(signature_version=version)
        parameters = {"Bucket": bucket, "Key": "a b"}
        url = signer.generate_presigned_url("get_object", Params=parameters, ExpiresIn=60)
        assert unsigned(url) == (200, b"v"), (version, url)
        put = signer.generate_presigned_url("put_object", Params={**parameters, "Key": version}, ExpiresIn=60)
        assert unsigned(put, data=b"w", method="PUT")[0] == 200, put
        assert s3.get_object(Bucket=bucket, Key=version)["Body"].read() == b"w"
        expired = signer.generate_presigned_url("get_object", Params=parameters, ExpiresIn=-10)
        status, said = unsigned(expired)
        # A time that is no time is another thing than one that is over.
        assert status in (400, 403), (status, said)
    refused_url = unsigned(f"{ENDPOINT}/{bucket}/a%20b")
    assert refused_url[0] == 403 and b"<Code>AccessDenied</Code>" in refused_url[1], refused_url

    # Virtual-host style: the name in front of the host.
    port = ENDPOINT.rsplit(":", 1)[1]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
    path = url.split(f"/{bucket}", 1)[1]
    for host in [f"{bucket}.localhost:{port}", f"{bucket}.s3.localhost", f"{bucket}.s3.us-east-1.localhost:{port}"]:
        assert unsigned(ENDPOINT + path, {"Host": host}) == (200, b"v"), host
    assert unsigned(ENDPOINT + path, {"Host": f"{bucket}.s3.amazonaws.com"})[0] == 403


if __name__ == "__main__":
    for part in [buckets, accounts, objects, listings, versions, multipart, settings, urls]:
        part()
    print(json.dumps("passed"))
