"""SSHSIG: what ssh-keygen signs is taken, what is signed here it takes, and every byte of a signature counts."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.ssh_keys import EVERY, PLAIN, SK, fields, private, public, raw_signature
from tradex_ledger.domain.signing import NAMESPACE
from tradex_ledger.sealing.ssh_key import KeyRefusedError, key_of, key_of_line
from tradex_ledger.sealing.sshsig import InvalidSignatureError, armoured, parsed, signed, signed_data
from tradex_ledger.sealing.wire import Reader, mpint, string, strings

TEXT = b"what is approved\n"
KEYGEN = shutil.which("ssh-keygen")
needs_ssh_keygen = pytest.mark.skipif(KEYGEN is None, reason="ssh-keygen is not installed here")
GENERATED = (("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048"))


def holds(armour: str, message: bytes = TEXT) -> str:
    """The fingerprint of the key that a signature over the text is by. Raises `InvalidSignatureError`."""
    return parsed(armour).check(message, namespace=NAMESPACE).fingerprint


def refused(armour: str, message: bytes = TEXT) -> str:
    with pytest.raises(InvalidSignatureError) as caught:
        holds(armour, message)
    return caught.value.message


@pytest.mark.parametrize("kind", EVERY)
def test_a_signature_by_a_key_of_each_kind_holds(kind: str):
    for hash_name in ("sha256", "sha512"):
        assert holds(fields(kind, TEXT, hash_name=hash_name).armour()) == public(kind).fingerprint
    assert key_of_line(f"{public(kind).line} maria@desk\n") == public(kind)


@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_made_here_holds(kind: str):
    assert holds(signed(TEXT, private(kind), namespace=NAMESPACE)) == public(kind).fingerprint


# -- every byte counts


@pytest.mark.parametrize("kind", EVERY)
def test_no_byte_of_a_signature_can_be_another(kind: str):
    blob = fields(kind, TEXT).blob()
    own = public(kind).fingerprint
    # flags other than the touch, and the counter, are signed as well
    for at in range(len(blob)):
        bent = bytearray(blob)
        bent[at] ^= 1 << at % 8
        try:
            found = holds(armoured(bytes(bent)))
        except InvalidSignatureError:
            continue
        pytest.fail(f"byte {at} of {len(blob)} does not count: {found} {own}")


@given(st.data())
def test_no_character_of_the_armour_can_be_another_be_left_out_or_put_in(data: st.DataObject):
    armour = fields("ed25519", TEXT).armour()
    at = data.draw(st.integers(0, len(armour) - 1))
    other = data.draw(st.characters(max_codepoint=0x17F))
    for bent in (
        armour[:at] + armour[at + 1 :],
        armour[:at] + other + armour[at:],
        armour[:at] + other + armour[at + 1 :],
    ):
        if bent != armour:
            refused(bent)


@given(st.binary(max_size=64), st.integers(0, len(TEXT)))
def test_no_byte_of_the_text_can_be_another(other: bytes, at: int):
    for bent in (TEXT[:at] + other + TEXT[at:], TEXT[:at] + other + TEXT[at + 1 :], TEXT[:at]):
        if bent != TEXT:
            refused(fields("ed25519", TEXT).armour(), bent)


@given(st.text(max_size=400), st.binary(max_size=400))
def test_what_is_no_signature_is_refused_and_nothing_else_happens(text: str, blob: bytes):
    refused(text)
    refused(armoured(blob or b"\x00"))


BENT: dict[str, tuple[dict[str, Any], str]] = {
    "another magic": ({"magic": b"SSHSIh"}, "no signature of SSHSIG"),
    "an older version": ({"version": 0}, "version 0"),
    "a newer version": ({"version": 2}, "version 2"),
    "something reserved": ({"reserved": b"x"}, "reserved"),
    "a byte after it": ({"after": b"\x00"}, "1 bytes follow"),
    "another namespace": ({"namespace": b"file"}, "made for 'file'"),
    "no namespace": ({"namespace": b""}, "a name in it"),
    "a longer namespace": ({"namespace": NAMESPACE.encode() + b"\x00"}, "a name in it"),
    "SHA-1": ({"hash": b"sha1"}, "kind sha1"),
    "SHA-384": ({"hash": b"sha384"}, "kind sha384"),
    "another digest than was signed": ({"hash": b"sha256"}, "not over this text"),
    "no signature": ({"signature": b""}, "too early"),
    "no key": ({"key": b""}, "too early"),
    "the key of somebody else": ({"key": public("ecdsa-256").blob}, "it says ssh-ed25519, the key is ecdsa"),
}


@pytest.mark.parametrize("how", BENT)
def test_a_field_that_is_put_wrong_is_named(how: str):
    changes, said = BENT[how]
    assert said in refused(fields("ed25519", TEXT).armour(**changes))


def test_the_armour_is_that_of_ssh_keygen_and_has_one_form():
    whole = fields("ed25519", TEXT).armour()
    body = "".join(whole.splitlines()[1:-1])
    wrapped = {
        width: "\n".join(body[at : at + width] for at in range(0, len(body), width)) for width in (64, 69, 70, 76)
    }
    begin, end = whole.splitlines()[0], whole.splitlines()[-1]
    for width, text in wrapped.items():
        again = f"{begin}\n{text}\n{end}\n"
        assert holds(again) if width != 69 else "not as long" in refused(again)
    for bent in (
        whole.replace("\n", "\r\n"),
        whole + "\n",
        whole.removesuffix("\n"),
        "\n" + whole,
        "\ufeff" + whole,
        whole + whole,
        whole.replace("SIGNATURE", "MESSAGE"),
        whole.replace(body[:70], body[:70] + " "),
        f"{begin}\n{body[:-2]}\n{end}\n",
        "x" * 100_000,
    ):
        refused(bent)


def test_bits_that_say_nothing_are_none():
    padded = [a for a in (fields(kind, TEXT).armour() for kind in EVERY) if "=\n-----END" in a]
    assert padded
    for armour in padded:
        before, sign, after = armour.partition("=")
        for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/":
            if before[-1] != other:
                refused(before[:-1] + other + sign + after)


# -- what a key may sign with


def test_of_an_rsa_key_only_sha2_counts():
    key: Any = private("rsa")
    data = signed_data(TEXT, NAMESPACE, "sha512")
    by_sha1 = strings([b"ssh-rsa", key.sign(data, PKCS1v15(), SHA1())])
    assert "only rsa-sha2-256 and rsa-sha2-512" in refused(fields("rsa", TEXT).armour(signature=by_sha1))
    raw = key.sign(data, PKCS1v15(), SHA256())
    assert holds(fields("rsa", TEXT).armour(signature=strings([b"rsa-sha2-256", raw])))
    assert "not as long" in refused(fields("rsa", TEXT).armour(signature=strings([b"rsa-sha2-256", b"\x00" + raw])))
    refused(fields("rsa", TEXT).armour(signature=strings([b"rsa-sha2-512", raw])))


@pytest.mark.parametrize("kind", SK)
def test_a_security_key_was_touched(kind: str):
    assert "nobody touched" in refused(fields(kind, TEXT, flags=0).armour())
    assert "nobody touched" in refused(fields(kind, TEXT, flags=4).armour())
    assert holds(fields(kind, TEXT, flags=5, counter=2**32 - 1).armour())
    whole = fields(kind, TEXT)
    for bent in (whole.signature + b"\x00", whole.signature[:-1]):
        refused(whole.armour(signature=bent))


def test_a_number_has_one_spelling():
    whole = fields("ecdsa-256", TEXT)
    key: Any = private("ecdsa-256")
    r, s = decode_dss_signature(key.sign(b"", ECDSA(SHA256())))
    longer = string(b"\x00\x00" + r.to_bytes(32)) + string(s.to_bytes(33))
    for numbers in (longer, string(b"") + string(b""), string(b"\xff") + string(b"\x01"), string(b"\x00") * 2):
        assert "not written as" in refused(whole.armour(signature=strings([b"ecdsa-sha2-nistp256", numbers])))


@pytest.mark.parametrize("kind", EVERY)
def test_nothing_follows_a_key_or_a_signature(kind: str):
    whole, blob = fields(kind, TEXT), public(kind).blob
    for more in (b"\x00", string(b""), string(b"x")):
        with pytest.raises(KeyRefusedError, match="nobody asked for"):
            key_of(blob + more)
        refused(whole.armour(key=blob + more))
        assert "nobody asked for" in refused(whole.armour(signature=whole.signature + more))
    if kind.startswith("ecdsa"):
        reader = Reader(whole.signature)
        name, numbers = reader.string(), reader.string()
        bent = strings([name, numbers + b"\x00"]) + reader.take(5 if kind in SK else 0)
        assert "nobody asked for" in refused(whole.armour(signature=bent))


@pytest.mark.parametrize("kind", EVERY)
def test_no_byte_of_a_key_can_be_another_and_still_be_that_key(kind: str):
    line, blob = public(kind).line, public(kind).blob
    signature = raw_signature(kind, signed_data(TEXT, NAMESPACE, "sha512"))
    for at in range(len(blob)):
        bent = bytearray(blob)
        bent[at] ^= 1 << at % 8
        try:
            found = key_of(bytes(bent))
        except KeyRefusedError:
            continue
        assert found.line != line
        assert found.fingerprint != public(kind).fingerprint
        refused(fields(kind, TEXT).armour(key=bytes(bent), signature=signature))


REFUSED_KEYS = {
    "": "knows the kind",
    "ssh-ed25519": "base64",
    "ssh-ed25519 AAAA": "too early",
    "ssh-dss AAAAB3NzaC1kc3MAAACB": "DSA is broken",
    "ssh-ed25519-cert-v01@openssh.com AAAA": "certificate",
    "-----BEGIN OPENSSH PRIVATE KEY-----": "private key",
    f"ssh-rsa {public('ed25519').line.split()[1]}": "the line says ssh-rsa",
    f"{public('ed25519').line}=": "base64",
    f"{public('ed25519').line[:-4]}": "too early",
    "ssh-ed448 AAAA": "knows the kind",
}


@pytest.mark.parametrize("line", REFUSED_KEYS)
def test_what_is_no_key_is_refused(line: str):
    with pytest.raises(KeyRefusedError, match=REFUSED_KEYS[line]):
        key_of_line(line)


def test_keys_that_are_too_short_or_on_no_curve_are_refused():
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    with pytest.raises(KeyRefusedError, match="1024 bits is too short"):
        key_of(string(b"ssh-rsa") + mpint(numbers.e) + mpint(numbers.n))
    with pytest.raises(KeyRefusedError, match="no key of the kind"):
        key_of(strings([b"ecdsa-sha2-nistp256", b"nistp256", b"\x04" + b"\x01" * 64]))
    with pytest.raises(KeyRefusedError, match="its curve is nistp384"):
        key_of(strings([b"ecdsa-sha2-nistp256", b"nistp384", b"\x04" + b"\x01" * 96]))
    whole = public("ecdsa-256").numbers[0]
    assert isinstance(whole, bytes)
    packed = bytes([2 + whole[-1] % 2]) + whole[1:33]
    with pytest.raises(KeyRefusedError, match="no key of the kind"):
        key_of(strings([b"ecdsa-sha2-nistp256", b"nistp256", packed]))


# -- with ssh-keygen


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The private keys that ssh-keygen makes."""
    folder = tmp_path_factory.mktemp("keys")
    for kind, bits in GENERATED:
        size = ["-b", bits] if bits else []
        keygen("-q", "-t", kind, *size, "-N", "", "-f", str(folder / f"{kind}{bits}"))
    return {f"{kind}{bits}": folder / f"{kind}{bits}" for kind, bits in GENERATED}


def keygen(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    assert KEYGEN
    return subprocess.run([KEYGEN, *arguments], input=given, capture_output=True, check=False)


@needs_ssh_keygen
@pytest.mark.parametrize("kind", ["".join(pair) for pair in GENERATED])
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_holds_here(generated: dict[str, Path], kind: str, hash_name: str):
    found = keygen(
        "-q", "-Y", "sign", "-n", NAMESPACE, "-O", f"hashalg={hash_name}", "-f", str(generated[kind]), given=TEXT
    )
    armour = found.stdout.decode()
    assert parsed(armour).hash == hash_name
    own = generated[kind].with_suffix(".pub").read_text(encoding="utf-8")
    assert holds(armour) == key_of_line(own).fingerprint
    assert key_of_line(own).fingerprint in keygen("-l", "-f", str(generated[kind])).stdout.decode()
    assert b64decode("".join(armour.splitlines()[1:-1])).startswith(b"SSHSIG")
    assert armoured(b64decode("".join(armour.splitlines()[1:-1]))) == armour


@needs_ssh_keygen
@pytest.mark.parametrize("kind", ["".join(pair) for pair in GENERATED])
def test_what_is_signed_here_ssh_keygen_takes(generated: dict[str, Path], kind: str, tmp_path: Path):
    key: Any = load_ssh_private_key(generated[kind].read_bytes(), None)
    (tmp_path / "text.sig").write_text(signed(TEXT, key, namespace=NAMESPACE), encoding="utf-8")
    line = key_of_line(generated[kind].with_suffix(".pub").read_text(encoding="utf-8")).line
    (tmp_path / "allowed").write_text(f'maria namespaces="{NAMESPACE}" {line}\n', encoding="utf-8")
    verify = ("-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "maria", "-n", NAMESPACE)
    found = keygen(*verify, "-s", str(tmp_path / "text.sig"), given=TEXT)
    assert (found.returncode, b"Good" in found.stdout) == (0, True), found.stderr
    assert keygen(*verify, "-s", str(tmp_path / "text.sig"), given=TEXT + b" ").returncode != 0
