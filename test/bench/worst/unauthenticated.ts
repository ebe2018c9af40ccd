/** The worst that somebody can send who only reaches the port: from the body to the answer. */
import type { Pod } from '../../../admission/api/kinds.ts';
import { unauthenticated } from '../../../admission/guard/unauthenticated-callers.ts';
import { refuseUnknownCaller } from '../../../admission/sets/inject-pods.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { BadReview, parseReview } from '../../../admission/webhook/review.ts';
import { UnusableJson } from '../../../admission/webhook/rules/json-scanner.ts';
import { LargeReview } from '../../../admission/webhook/rules/large-review.ts';
import { deepestReview, largeBodyBytes, mostKept } from '../../../admission/webhook/rules/policy.ts';
import { routeByContent } from '../../../admission/webhook/rules/route.ts';
import { deletion, review } from '../../e2e/support/webhook-post.ts';
import { unauthenticatedCaller } from '../../unit/support/arrival.ts';
import { kindsByThemselves } from '../../unit/support/guard.ts';
import { recordingLog } from '../../unit/support/log.ts';
import { worstPods } from './pods.ts';
import type { WorstCase } from './worst-case.ts';

const subjects = kindsByThemselves();
const handlers = {
	...unauthenticated({
		subjects,
		pods: { get: async () => undefined },
		user: 'us',
		metrics: new Metrics(systemClock),
		clock: systemClock,
		log: recordingLog('info').log,
	}),
	'/pods/create': refuseUnknownCaller,
	'/pods/mark': () => undefined,
	'/sets/replicas': () => undefined,
};

async function answer(body: Buffer, reduced = false): Promise<unknown> {
	try {
		const request = parseReview(body, reduced);
		const route = routeByContent(request);
		return route && (await handlers[route](request, unauthenticatedCaller));
	} catch (error) {
		if (error instanceof BadReview) return error;
		throw error;
	}
}

/** So that it fills a body of the largest size that is parsed. */
const full = (
	before: string,
	part: (at: number) => string,
	after: string,
	bytes = largeBodyBytes,
): string => {
	const parts: string[] = [];
	for (let left = bytes - before.length - after.length; left > 0; ) {
		const next = part(parts.length);
		left -= next.length;
		if (left > 0) parts.push(next);
	}
	return before + parts.join('') + after;
};

/** What takes JSON.parse the longest. */
const texts: Record<string, string> = {
	'arrays in arrays': full('', () => '[', ''),
	'objects in objects': full('', () => '{"a":', ''),
	'many keys': full('{', (at) => `"${at.toString(36)}":1,`, '"a":1}'),
	'many keys that are numbers': full('{', (at) => `"${at * 7_919}":1,`, '"a":1}'),
	'long numbers': full('[', () => `${'1234567890'.repeat(30)}e-300,`, '1]'),
	'small numbers': full('[', () => '5e-324,', '1]'),
	'escaped characters': full('["', () => '\\u202e', '"]'),
};

const requests: Record<string, (pod: Pod) => object> = {
	'a DELETE': deletion,
	'an UPDATE': (pod) => ({ ...deletion(pod), operation: 'UPDATE', object: { ...pod, spec: {} } }),
	'a CREATE': (pod) => ({ ...deletion(pod), operation: 'CREATE', object: pod }),
};

/** What somebody sends whose body is large, as it arrives: little of it is kept. */
const part = 64 * 1024;
const largeBody = 1024 * 1024;
const around = (before: string, one: (at: number) => string, after: string): Buffer =>
	Buffer.from(
		full(
			`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"CREATE","userInfo":{},${before}`,
			one,
			`${after},"object":{"metadata":{}}}}`,
			largeBody,
		),
	);
const large: Record<string, Buffer> = {
	'many keys': around('"a":1', (at) => `,"_${at.toString(36)}":1`, ''),
	'short values': around('"a":1', (at) => `,"_${at}":"${'<'.repeat(900)}"`, ''),
	'arrays in arrays': around('"a":', () => '[', ''),
	'many arrays': around('"a":[0', () => ',[]', ']'),
	'many numbers': around('"a":[0', () => ',0', ']'),
	'escaped characters': around('"a":"', () => '\\n', '"'),
};

async function answerLarge(body: Buffer): Promise<unknown> {
	const reading = new LargeReview({ ...mostKept.unauthenticated, depth: deepestReview });
	try {
		for (let from = 0; from < body.length; from += part) {
			reading.write(body.subarray(from, from + part));
			await new Promise((resolve) => setImmediate(resolve)); // the next part has not come yet
		}
		return await answer(reading.end(), true);
	} catch (error) {
		if (error instanceof UnusableJson) return error;
		throw error;
	}
}

const caseOf = (does: string, shape: string, body: Buffer): WorstCase => ({
	does: `an unauthenticated caller's ${does}`,
	shape,
	bytes: body.length,
	prepare: () => () => answer(body),
});

export const unauthenticatedCases: WorstCase[] = [
	...Object.entries(texts).map(([shape, text]) => caseOf('body is parsed', shape, Buffer.from(text))),
	...Object.entries(large).map(([shape, body]) => ({
		...caseOf('large body is read and answered', shape, body),
		prepare: () => () => answerLarge(body),
	})),
	...Object.entries(requests).flatMap(([what, request]) =>
		Object.entries(worstPods(largeBodyBytes / 2)).map(([shape, pod]) =>
			caseOf(`${what} is answered`.replace(/^an? /, ''), shape, Buffer.from(review(request(pod)))),
		),
	),
];
