"""Signatures are verified, and malformed or untrusted ones are refused."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from artifacts.errors import ArtifactDigest, ArtifactSignature, ArtifactUntrusted, KeyInvalid
from artifacts.signing import PublicKey, find_signer, parse_key, parse_keys
from artifacts.version_folder import LABELS, MANIFEST, MODEL, SIGNATURE
from tests.support.version_folders import put, read, signer, stranger, trusted

DOCUMENT = b'{"format": 2}'
Spoiling: TypeAlias = Callable[[bytes], bytes]
LINE = "ed25519:" + "A" * 43


def test_a_signature_names_its_key() -> None:
    """The key is found among other trusted keys."""
    ours, others = stranger(), [stranger().public for _ in range(3)]

    assert find_signer(DOCUMENT, ours.sign(DOCUMENT), [*others, ours.public]) == ours.public


@pytest.mark.parametrize("known", [0, 2])
def test_a_signature_of_an_unknown_key_is_untrusted(known: int) -> None:
    """The error has the id of the key, however many other keys are trusted."""
    ours = stranger()

    with pytest.raises(ArtifactUntrusted, match=ours.public.id):
        find_signer(DOCUMENT, ours.sign(DOCUMENT), [stranger().public for _ in range(known)])


def test_a_signature_under_the_id_of_another_key_is_refused() -> None:
    """A signature that names the id of a trusted key but was made with another one is a forgery."""
    ours, other = stranger(), stranger()
    forged = other.sign(DOCUMENT).replace(other.public.id.encode(), ours.public.id.encode())

    with pytest.raises(ArtifactSignature):
        find_signer(DOCUMENT, forged, [ours.public])


def test_a_signature_for_another_purpose_is_refused() -> None:
    """The signed bytes have a prefix of their own, so that no other signature of the key is valid."""
    ours = stranger()
    bare = base64.urlsafe_b64encode(ours.key.sign(DOCUMENT)).rstrip(b"=")
    lines = ours.sign(DOCUMENT).splitlines()

    with pytest.raises(ArtifactSignature):
        find_signer(DOCUMENT, b"\n".join([*lines[:-1], b"signature: " + bare, b""]), [ours.public])


def test_no_bit_of_a_signature_can_be_flipped() -> None:
    """With any bit flipped, the file is malformed or not a signature of the document."""
    ours = stranger()
    signed = ours.sign(DOCUMENT)

    for place in range(len(signed) * 8):
        flipped = bytearray(signed)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ArtifactSignature):
            find_signer(DOCUMENT, bytes(flipped), [ours.public])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda signed: signed[:-1],
        lambda signed: signed + b"\n",
        lambda signed: b"\n" + signed,
        lambda signed: signed * 2,
        lambda signed: signed.replace(b"\n", b"\r\n"),
        lambda signed: signed.replace(b"signature 1", b"signature 2"),
        lambda signed: signed.replace(b"ed25519", b"none"),
        lambda signed: signed[:-1] + b"==\n",
        lambda signed: signed.upper(),
        lambda signed: b"\x00" * len(signed),
        lambda _: "²".encode() * 100,
    ],
)
def test_a_malformed_signature_is_refused(spoil: Spoiling) -> None:
    """Anything but the four lines is refused."""
    ours = stranger()

    with pytest.raises(ArtifactSignature):
        find_signer(DOCUMENT, spoil(ours.sign(DOCUMENT)), [ours.public])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ed25519:",
        LINE[:-1],
        LINE + "A",
        LINE + "=",
        LINE.replace("ed", "ED"),
        "rsa:" + "A" * 43,
        LINE[:-1] + "B",
        LINE + "\n",
        "²" * 51,
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_an_invalid_key_is_not_in_the_message(line: str) -> None:
    """A line that is not a public key may be a private one."""
    with pytest.raises(KeyInvalid) as refused:
        parse_key(line)

    assert len(line) < 10 or line not in str(refused.value)


def test_keys_are_separated_by_blanks_or_commas() -> None:
    """Each key is returned once."""
    ours, other = stranger().public, stranger().public

    assert parse_keys(f" {ours.text}, {other.text}\n{ours.text},") == (ours, other)
    assert parse_keys("") == parse_keys(" , ") == ()
    assert parse_key(ours.text) == PublicKey(ours.raw)


def test_an_unsigned_version_is_untrusted(folder: Path) -> None:
    """The error has the command that signs it, although all digests are correct."""
    (folder / SIGNATURE).unlink()

    with pytest.raises(ArtifactUntrusted, match="python -m artifacts sign"):
        read(folder)


def test_an_older_key_is_valid_while_it_is_trusted(folder: Path) -> None:
    """During a change of keys both are trusted."""
    newer = stranger()
    before = read(folder, trusted=[*trusted(), newer.public]).key
    put(folder, (folder / MANIFEST).read_bytes(), by=newer)

    assert before == signer().public.id
    assert read(folder, trusted=[*trusted(), newer.public]).key == newer.public.id
    with pytest.raises(ArtifactUntrusted):
        read(folder)


def test_one_flipped_bit_of_a_manifest_is_found(folder: Path) -> None:
    """The signature is not one of these bytes, and they are not parsed."""
    document = (folder / MANIFEST).read_bytes()

    for place in range(0, len(document), 97):
        flipped = bytearray(document)
        flipped[place] ^= 1
        (folder / MANIFEST).write_bytes(flipped)
        with pytest.raises(ArtifactSignature):
            read(folder)


@pytest.mark.parametrize("name", [MODEL, LABELS])
def test_a_signature_covers_every_file(folder: Path, name: str) -> None:
    """A changed, shortened or missing file does not have the digest in the signed manifest."""
    content = (folder / name).read_bytes()

    for changed in (content + b"\0", content[:-1], b""):
        (folder / name).write_bytes(changed)
        with pytest.raises(ArtifactDigest, match=name):
            read(folder)


def test_a_huge_file_is_not_read(folder: Path) -> None:
    """A file of a terabyte is refused because of its size."""
    with (folder / MODEL).open("r+b") as file:
        file.truncate(2**40)

    with pytest.raises(ArtifactDigest):
        read(folder)
