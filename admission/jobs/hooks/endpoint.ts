import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { KubeError } from '../../kube/client.ts';
import type { HookResult } from '../../telemetry/metrics.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import { FixedWindow } from '../../time/fixed-window.ts';
import { Gate } from '../../time/gate.ts';
import { Bodies, Refused } from '../body.ts';
import { type ReportDependencies, recordReport } from '../record-report.ts';
import type { Caller } from './rules/caller.ts';
import { hooks, type What } from './rules/layout.ts';
import {
	headerWithinMs,
	largestBodyBytes,
	mostAtOnce,
	mostBodyBytes,
	mostConnections,
	mostNewConnections,
	mostOfOnePod,
	mostRefusers,
	mostWaiting,
	newConnectionsWindowMs,
	refusalLoggedEveryMs,
	requestWithinMs,
	retryAfterSeconds,
	waitsAtMostMs,
} from './rules/policy.ts';
import { reportOf } from './rules/said.ts';
import type { Tokens } from './tokens.ts';

export interface HookEndpointOptions extends ReportDependencies {
	tokens: Pick<Tokens, 'callerOf'>;
	tls: { cert: string; key: string };
	/** The web address of our GitHub, with a slash at its end. */
	githubUrl: string;
}

export interface HookEndpoint {
	server: Server;
	/** Uses this certificate for new connections. */
	useCertificate(pair: { cert: string; key: string }): void;
	/** Resolves when nothing is being answered any more. */
	drained(): Promise<void>;
}

/**
 * Where the job hooks in runner pods say that a job has started or completed: `POST /hooks/started`, with the token of the
 * pod. Which pod it is, only the token tells. It is answered when what was said is on the pod.
 *
 * It has a port of its own, since everybody's jobs may call it: what it costs is bounded, so that reviews do not wait.
 */
export function createHookEndpoint(options: HookEndpointOptions): HookEndpoint {
	const { tokens, tls, githubUrl, pods, clock, metrics, log } = options;
	const bodies = new Bodies(largestBodyBytes, mostBodyBytes);
	const gate = new Gate(clock, { size: () => mostAtOnce, mostWaiting });
	/** By status and caller: one line of the log for each in this time. */
	const refusals = new BoundedMap<string, true>({ most: mostRefusers, lastsMs: refusalLoggedEveryMs });
	/** Words under way, by token; an entry lives as long as its requests. */
	const underWay = new Map<string, number>();
	let inFlight = 0;

	/** The pod of this token. @throws Refused 401 */
	const callerOf = async (token: string, from: string): Promise<Caller> => {
		const caller = await tokens.callerOf(token);
		if ('why' in caller) throw new UnauthenticatedCaller(caller.why, from);
		return caller;
	};

	const take = async (what: What, token: string, body: string, from: string): Promise<HookResult> => {
		const caller = await callerOf(token, from);
		const name = `${caller.namespace}/${caller.pod}`;
		const report = reportOf(what, body, githubUrl);
		if (!report) throw new Refused(400, 'the body is not JSON that names a job');
		const pod = await pods.get(caller.namespace, caller.pod);
		if (pod?.metadata.uid !== caller.uid) throw new UnauthenticatedCaller('its pod is gone', name);
		const outcome = await recordReport(pod, report, options);
		log.debug({ pod: name, says: what, job: report.job.name, outcome }, 'job hook');
		return outcome;
	};

	const inTurn = async (work: () => Promise<HookResult>): Promise<HookResult> => {
		if (!(await gate.enter(waitsAtMostMs))) throw new Refused(503, 'too many hooks wait for their turn');
		return work().finally(() => gate.leave());
	};

	/** One pod takes no other's turns. */
	const fairly = async (token: string, work: () => Promise<HookResult>): Promise<HookResult> => {
		const count = underWay.get(token) ?? 0;
		if (count >= mostOfOnePod) throw new Refused(503, 'this pod has said too much at a time');
		underWay.set(token, count + 1);
		try {
			return await work();
		} finally {
			const left = (underWay.get(token) ?? 1) - 1;
			if (left > 0) underWay.set(token, left);
			else underWay.delete(token);
		}
	};

	const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		const what = hooks.find((hook) => request.url === `/hooks/${hook.what}`)?.what;
		if (!what) throw new Refused(404, 'there is nothing here');
		if (request.method !== 'POST') throw new Refused(405, 'only POST');
		const from = request.socket.remoteAddress ?? '';
		const [, token] = /^Bearer ([\w.-]+)$/.exec(request.headers.authorization ?? '') ?? [];
		if (token === undefined) throw new UnauthenticatedCaller('it has no token', from);
		const body = await bodies.read(request);
		const result = await fairly(token, () => inTurn(() => take(what, token, body, from)));
		metrics.hook(result);
		if (result === 'gone') return end(response, 410, 'this runner has ended');
		end(response, 200, result);
	};

	const refuse = (request: IncomingMessage, response: ServerResponse, error: unknown): void => {
		const expected = error instanceof Refused || error instanceof KubeError;
		const status = error instanceof Refused ? error.status : 503;
		const why = error instanceof Error ? error.message : String(error);
		metrics.hook(resultOf(status, error));
		const who = error instanceof UnauthenticatedCaller ? error.who : (request.socket.remoteAddress ?? '');
		if (refusals.add(`${status} ${who}`, true, clock.monotonic()))
			log[expected ? 'warn' : 'error']({ who, status, error: why }, 'job hook refused');
		if (status === 503) response.setHeader('retry-after', `${retryAfterSeconds}`);
		end(response, status, error instanceof Refused ? why : 'it could not be written');
	};

	const server = createServer(
		{
			...contextOf(tls),
			handshakeTimeout: headerWithinMs,
			connectionsCheckingInterval: 1_000,
			maxHeaderSize: 16 * 1024,
		},
		(request, response) => {
			inFlight += 1;
			answer(request, response)
				.catch((error: unknown) => refuse(request, response, error))
				.finally(() => {
					inFlight -= 1;
				});
		},
	);
	server.maxConnections = mostConnections;
	server.headersTimeout = headerWithinMs;
	server.requestTimeout = requestWithinMs;
	server.on('tlsClientError', (error) =>
		log.debug({ error: String(error) }, 'TLS handshake of a hook failed'),
	);
	limitNewConnections(server, clock.monotonic);

	return {
		server,
		useCertificate: (pair) => server.setSecureContext(contextOf(pair)),
		async drained() {
			while (inFlight > 0) await clock.sleep(10);
		},
	};
}

/** Refused because of its token. */
class UnauthenticatedCaller extends Refused {
	/** The pod, where it is known; else the address. */
	readonly who: string;
	constructor(why: string, who: string) {
		super(401, why);
		this.who = who;
	}
}

const contextOf = ({ cert, key }: { cert: string; key: string }) =>
	({ cert, key, minVersion: 'TLSv1.2' }) as const;

/** What is closed here costs no handshake. */
function limitNewConnections(server: Server, monotonic: () => number): void {
	const opened = new FixedWindow(mostNewConnections, newConnectionsWindowMs);
	server.prependListener('connection', (socket: Socket) => {
		if (!opened.allows(undefined, monotonic())) socket.destroy();
	});
}

function end(response: ServerResponse, status: number, text: string): void {
	if (response.writableEnded) return;
	// A hook says one word: a connection that stays open would only take another's place.
	response.writeHead(status, { connection: 'close', 'content-type': 'text/plain' }).end(`${text}\n`);
}

function resultOf(status: number, error: unknown): HookResult {
	if (status === 401) return 'unknown-caller';
	if (status === 413) return 'too-large';
	if (status >= 400 && status < 500) return 'unreadable';
	return error instanceof Refused ? 'overloaded' : 'failed';
}
