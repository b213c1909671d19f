"""What every response tells a browser not to do with it."""

from flask import Response

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def harden(response: Response) -> Response:
    """The response with these headers, but for those that it has."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
