"""JSON as the application writes it: by msgspec, which takes a tenth of the time for an answer about a year."""

from typing import Any

import msgspec
from flask.json.provider import JSONProvider
from werkzeug.sansio.response import Response


class Json(JSONProvider):
    """Values in the order in which they come, text as UTF-8, no blanks."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """The text. Raises TypeError for what is no plain value."""
        return msgspec.json.encode(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """The value. Raises msgspec.DecodeError, a ValueError, for what is no JSON."""
        return msgspec.json.decode(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A response with the value, and a line feed behind it for those who look at it in a shell."""
        return self._app.response_class(
            f"{self.dumps(self._prepare_response_obj(args, kwargs))}\n", mimetype="application/json"
        )
