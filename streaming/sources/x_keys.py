"""Which of X's keys open the filtered stream: a bearer token, or the key pair that it is made from."""

import logging

import requests
from pydantic import SecretStr

from drinkstream.errors import BadInputError
from drinkstream.settings import Settings

TIMEOUT = 30  # seconds

HOW = (
    "set DRINKSTREAM_X_BEARER_TOKEN, or DRINKSTREAM_X_CONSUMER_KEY and DRINKSTREAM_X_CONSUMER_SECRET "
    "(API key and secret), from which it is made at each start"
)
USER_KEYS = (
    "The access token and its secret act for a user (OAuth 1.0a); the filtered stream of API v2 takes only the bearer "
    "token of an app, so they do not serve here"
)

log = logging.getLogger("drinkstream.x")


def bearer_token(settings: Settings, base: str) -> str:
    """The app's bearer token: the one set, else made by X from the consumer key and secret.

    Raises BadInputError where neither is set, or X refuses the pair, saying which of the four older keys still serve;
    requests' errors where X is out of reach.
    """
    user_keys = settings.x_access_token is not None or settings.x_access_token_secret is not None
    if settings.x_bearer_token is not None:
        return settings.x_bearer_token.get_secret_value()
    key, secret = settings.x_consumer_key, settings.x_consumer_secret
    if key is None and secret is None:
        raise BadInputError(f"X needs a bearer token: {HOW}." + (f" {USER_KEYS}." if user_keys else ""))
    if key is None or secret is None:
        missing = "DRINKSTREAM_X_CONSUMER_KEY" if key is None else "DRINKSTREAM_X_CONSUMER_SECRET"
        raise BadInputError(f"X's consumer key and secret serve only together: {missing} is missing")
    if user_keys:
        log.info(
            "event=keys serving=consumer_key,consumer_secret unused=access_token,access_token_secret: %s", USER_KEYS
        )
    return _exchanged(key, secret, base)


def _exchanged(key: SecretStr, secret: SecretStr, base: str) -> str:
    response = requests.post(
        f"{base}/oauth2/token",
        auth=(key.get_secret_value(), secret.get_secret_value()),
        data={"grant_type": "client_credentials"},
        timeout=TIMEOUT,
    )
    if response.status_code >= 500 or response.status_code == 429:
        raise requests.ConnectionError(f"X answered {response.status_code}")
    try:
        told = response.json()
    except requests.JSONDecodeError:
        told = {}
    token = told.get("access_token") if isinstance(told, dict) and told.get("token_type") == "bearer" else None
    if response.status_code != 200 or not isinstance(token, str):
        raise BadInputError(
            f"X made no bearer token from the consumer key and secret (it answered {response.status_code}): "
            "look whether both are those of one app that still exists, or set DRINKSTREAM_X_BEARER_TOKEN"
        )
    return token
