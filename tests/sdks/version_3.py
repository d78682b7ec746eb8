"""Asks each question of the JSON list in the first argument with alibabacloud_dyvmsapi20170525.

Prints the answers and exceptions as a JSON list.
"""
import json
import sys

from alibabacloud_dyvmsapi20170525.client import Client
from alibabacloud_dyvmsapi20170525.models import QueryCallDetailByCallIdRequest
from alibabacloud_tea_openapi.utils_models import Config


def ask(question):
    config = Config(
        access_key_id=question["key"],
        access_key_secret=question["secret"],
        security_token=question.get("token"),
        endpoint=question["address"],
        protocol="http",
    )
    request = QueryCallDetailByCallIdRequest(
        call_id=question["CallId"] or None,
        prod_id=int(question["ProdId"]),
        query_date=int(question["QueryDate"]),
    )
    try:
        answer = Client(config).query_call_detail_by_call_id(request)
        return {"code": answer.body.code, "data": answer.body.data, "status": answer.status_code}
    except Exception as error:
        kind, code = type(error).__name__, getattr(error, "code", None)
        return {"exception": kind, "code": code, "status": getattr(error, "status_code", None)}


print(json.dumps([ask(question) for question in json.loads(sys.argv[1])]))
