"""provider.py - an identity provider: its keys and tokens, by the program `openssl`."""
import base64
import json
import subprocess

PUBLIC_POINT = 64  # bytes at the end of what a P-256 key publishes


def encode(value):
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def run(*words, given=None):
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


def make(algorithm, kid):
    """Makes a key in the file KID.pem; what is published of it."""
    pem = kid + ".pem"
    if algorithm == "ES256":
        run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pem)
        point = run("pkey", "-in", pem, "-pubout", "-outform", "DER")[-PUBLIC_POINT:]
        public = {"kty": "EC", "crv": "P-256", "x": encode(point[:32]), "y": encode(point[32:])}
    else:
        run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", pem)
        modulus = run("rsa", "-in", pem, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        public = {"kty": "RSA", "n": encode(bytes.fromhex(modulus)), "e": "AQAB"}
    return {**public, "kid": kid, "alg": algorithm, "use": "sig"}


def raw(der):
    """An ECDSA signature as JWT has it: two numbers of 32 bytes."""
    numbers, at = [], 2
    for _ in range(2):
        size = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big"))
        at += 2 + size
    return b"".join(numbers)


def sign(algorithm, name, claims, kid=None):
    head = json.dumps({"alg": algorithm, "kid": kid or name}).encode()
    text = encode(head) + "." + encode(json.dumps(claims).encode())
    signature = run("dgst", "-sha256", "-sign", name + ".pem", given=text.encode())
    return text + "." + encode(raw(signature) if algorithm == "ES256" else signature)
