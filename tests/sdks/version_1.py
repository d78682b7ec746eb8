"""Asks each question of the JSON list in the first argument with aliyun-python-sdk-core.

Prints the answers and exceptions as a JSON list.
"""
import json
import sys

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest


def ask(question):
    client = AcsClient(question["key"], question["secret"], "cn-hangzhou", auto_retry=False)
    request = CommonRequest(
        domain=question["address"], version="2017-05-25", action_name="QueryCallDetailByCallId"
    )
    request.set_protocol_type("http")
    request.set_method(question.get("method", "POST"))
    for name in ["CallId", "ProdId", "QueryDate"]:
        if question[name]:
            request.add_query_param(name, question[name])
    try:
        answer = json.loads(client.do_action_with_exception(request))
        return {"code": answer["Code"], "data": answer.get("Data")}
    except ServerException as error:
        return {"exception": "ServerException", "code": error.get_error_code(), "status": error.get_http_status()}


print(json.dumps([ask(question) for question in json.loads(sys.argv[1])]))
