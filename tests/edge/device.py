"""device.py - a device's Ed25519 key, by libsodium itself."""
import base64
import ctypes
import ctypes.util

sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")


def encode(value):
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def make():
    """The secret key, and the public one as base64url."""
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    sodium.crypto_sign_keypair(public, secret)
    return secret, encode(public.raw)


def sign(secret, text):
    signature, message = ctypes.create_string_buffer(64), text.encode()
    sodium.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), secret)
    return encode(signature.raw)
