"""A token that pages carry and changes must bring back: another site can send a person's cookie, not this.

It is stateless, signed over the user's id: any write to Flask's session logs people out of Airflow under
FabAuthManager.
"""

from __future__ import annotations

from itsdangerous import BadSignature, URLSafeTimedSerializer

HEADER = "X-TaskOps-CSRF"
#: seconds; as long as Airflow's own tokens last by default
LIFETIME = 24 * 3600


def make_token(secret: str | bytes, user_id: str) -> str:
    """Return a token for one user.

    :param secret: ``[api] secret_key``, the same in all API servers
    """
    return _serializer(secret).dumps(user_id)


def is_valid(token: str | None, secret: str | bytes, user_id: str) -> bool:
    """Tell whether a token was made here, for this user, not longer ago than :data:`LIFETIME`."""
    try:
        return token is not None and bool(_serializer(secret).loads(token, max_age=LIFETIME) == user_id)
    except BadSignature:
        return False


def _serializer(secret: str | bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="taskops-csrf")
