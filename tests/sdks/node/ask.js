// node ask.js openapi-client|pop-core QUESTIONS
//
// Asks each question of a JSON list with one SDK: openapi-client signs in version 3, pop-core in
// version 1. Prints the answers and exceptions as a JSON list.
'use strict';

async function version3(question) {
  const { default: Client, Config, OpenApiRequest, Params } = require('@alicloud/openapi-client');
  const { RuntimeOptions } = require('@alicloud/tea-util');
  const client = new Client(new Config({
    accessKeyId: question.key,
    accessKeySecret: question.secret,
    securityToken: question.token,
    endpoint: question.address,
    protocol: 'http',
  }));
  const params = new Params({
    action: 'QueryCallDetailByCallId',
    version: '2017-05-25',
    protocol: 'HTTP',
    pathname: '/',
    method: question.method || 'POST',
    authType: 'AK',
    style: 'RPC',
    reqBodyType: 'formData',
    bodyType: 'json',
  });
  const query = {};
  for (const name of ['CallId', 'ProdId', 'QueryDate']) {
    if (question[name]) query[name] = question[name];
  }
  const where = question.inBody ? { body: query } : { query };
  const answer = await client.callApi(params, new OpenApiRequest(where), new RuntimeOptions({}));
  return { code: answer.body.Code, data: answer.body.Data, status: answer.statusCode };
}

async function version1(question) {
  const { RPCClient } = require('@alicloud/pop-core');
  const client = new RPCClient({
    accessKeyId: question.key,
    accessKeySecret: question.secret,
    securityToken: question.token,
    endpoint: `http://${question.address}`,
    apiVersion: '2017-05-25',
  });
  const query = {};
  for (const name of ['CallId', 'ProdId', 'QueryDate']) {
    if (question[name]) query[name] = question[name];
  }
  const answer = await client.request('QueryCallDetailByCallId', query, { method: question.method || 'POST' });
  return { code: answer.Code, data: answer.Data };
}

async function main() {
  const ask = process.argv[2] === 'pop-core' ? version1 : version3;
  const answers = [];
  for (const question of JSON.parse(process.argv[3])) {
    try {
      answers.push(await ask(question));
    } catch (error) {
      answers.push({ exception: error.name, code: error.code, status: error.statusCode || (error.data || {}).statusCode });
    }
  }
  console.log(JSON.stringify(answers));
  process.exit(0);
}

main();
