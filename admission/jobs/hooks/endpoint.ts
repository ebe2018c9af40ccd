import type { IncomingMessage } from 'node:http';
import type { HookResult } from '../../telemetry/metrics.ts';
import { type Answer, overloaded, Refusal } from '../endpoint/answer.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import { type ReportDependencies, recordReport } from '../record-report.ts';
import { hooks, type What } from './rules/layout.ts';
import { readPayload } from './rules/payload.ts';
import { hookLimits, mostOfOnePod } from './rules/policy.ts';
import type { Tokens } from './tokens.ts';

interface HookEndpointOptions extends ReportDependencies {
	tokens: Pick<Tokens, 'callerOf'>;
	tls: { cert: string; key: string };
	/** The web address of our GitHub, with a slash at its end. */
	githubUrl: string;
}

/**
 * Where the job hooks in runner pods report that a job has started or completed: `POST /hooks/started`, with the token of the
 * pod. Only the token decides which pod it is. It is answered when the report is on the pod.
 */
export function createHookEndpoint(options: HookEndpointOptions): Endpoint<HookResult> {
	const { tokens, tls, githubUrl, pods, clock, metrics, log } = options;
	/** Requests under way, by token; an entry lives as long as its requests. */
	const underWay = new Map<string, number>();

	const endpoint = new Endpoint<HookResult>({
		name: 'job hook',
		tls,
		limits: hookLimits,
		answer,
		count: (result) => metrics.hook(result),
		describe: (_request, who) => ({ caller: who, facts: { who } }),
		clock,
		log,
	});
	return endpoint;

	async function answer(request: IncomingMessage): Promise<Answer<HookResult> | Refusal<HookResult>> {
		const what = hooks.find((hook) => request.url === `/hooks/${hook.what}`)?.what;
		if (!what) return new Refusal(404, 'unreadable', 'no such path');
		if (request.method !== 'POST') return new Refusal(405, 'unreadable', 'only POST');
		const [, token] = /^Bearer ([\w.-]+)$/.exec(request.headers.authorization ?? '') ?? [];
		if (token === undefined) return unknownCaller('it has no token');
		const body = await endpoint.read(request);
		if (body instanceof Refusal) return body;
		const result = await fairly(token, () => endpoint.inTurn(() => record(what, token, body)));
		if (result instanceof Refusal) return result;
		if (result === 'gone') return { status: 410, text: 'this runner has ended', result };
		return { status: 200, text: result, result };
	}

	/** One pod takes no other's turns. */
	async function fairly<Value>(
		token: string,
		work: () => Promise<Value>,
	): Promise<Value | Refusal<HookResult>> {
		const count = underWay.get(token) ?? 0;
		if (count >= mostOfOnePod) return overloaded('too many reports from this pod at once');
		underWay.set(token, count + 1);
		try {
			return await work();
		} finally {
			const left = (underWay.get(token) ?? 1) - 1;
			if (left > 0) underWay.set(token, left);
			else underWay.delete(token);
		}
	}

	async function record(what: What, token: string, body: string): Promise<HookResult | Refusal<HookResult>> {
		const caller = await tokens.callerOf(token);
		if ('why' in caller) return unknownCaller(caller.why);
		const report = readPayload(what, body, githubUrl);
		if (!report) return new Refusal(400, 'unreadable', 'the body is not JSON that names a job');
		const name = `${caller.namespace}/${caller.pod}`;
		const pod = await pods.get(caller.namespace, caller.pod);
		if (pod?.metadata.uid !== caller.uid) return unknownCaller('its pod is gone', name);
		const outcome = await recordReport(pod, report, options);
		log.debug({ pod: name, says: what, job: report.job.name, outcome }, 'job hook');
		return outcome;
	}
}

/** @param pod that the token is for, if it is known */
const unknownCaller = (why: string, pod?: string) => new Refusal<HookResult>(401, 'unknown-caller', why, pod);
