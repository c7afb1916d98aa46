// A collector's OTLP receivers, over HTTP and gRPC; prints what they are sent: see README.md.

import { library, print, whenInputEnds } from './peer.mjs';

const { MockOtlpServer } = library('@elastic/mockotlpserver');
const { normalizeTrace, normalizeLogs, normalizeMetrics } = library('@elastic/mockotlpserver/lib/normalize.js');

const [httpPort = 0, grpcPort = 0] = process.argv.slice(2).map(Number);
const local = '127.0.0.1';

const server = new MockOtlpServer({
  logLevel: 'error',
  services: ['http', 'grpc'],
  httpHostname: local,
  httpPort,
  grpcHostname: local,
  grpcPort,
  onTrace: (sent) => each(normalizeTrace(sent), 'resourceSpans', 'scopeSpans', 'spans', 'span'),
  onLogs: (sent) => each(normalizeLogs(sent), 'resourceLogs', 'scopeLogs', 'logRecords', 'log'),
  onMetrics: (sent) => each(normalizeMetrics(sent), 'resourceMetrics', 'scopeMetrics', 'metrics', 'metric'),
});
await server.start();
const port = (url) => Number(new URL(url).port);
print({ http: port(server.httpUrl), grpc: port(server.grpcUrl) });

whenInputEnds(() => process.exit(0));

/** One line for each span, log record or metric, with its resource. */
function each(sent, resources, scopes, items, name) {
  for (const ofResource of sent[resources] ?? []) {
    const resource = ofResource.resource?.attributes ?? {};
    for (const scope of ofResource[scopes] ?? []) {
      for (const item of scope[items] ?? []) {
        print({ [name]: item, resource, scope: scope.scope?.name });
      }
    }
  }
}
