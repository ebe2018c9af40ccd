import { request } from 'node:https';
import { type Route, webhookRoutes } from '../../../admission/api/webhooks.ts';
import type { Rig } from '../../rig/rig.ts';

/** An HTTP answer of the webhook's port. */
export interface Answer {
	status: number;
	text: string;
}

/** As the API server would call it, but with whatever body and headers a test wants. */
export function post(
	port: number,
	path: string,
	body: string | Buffer,
	headers: Record<string, string> = { 'content-type': 'application/json' },
	method = 'POST',
): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const call = request(
			{ host: '127.0.0.1', port, path, method, headers, rejectUnauthorized: false },
			(answer) => {
				const chunks: Buffer[] = [];
				answer.on('data', (chunk: Buffer) => chunks.push(chunk));
				answer.on('end', () =>
					resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
				);
			},
		);
		call.once('error', reject);
		call.end(body);
	});
}

/**
 * The path of this webhook as the API server has it now: who posts there is taken for the API server. It is renewed when a
 * replica starts, and good for 2 minutes more.
 */
export async function knownPath(rig: Pick<Rig, 'kube'>, route: Route): Promise<string> {
	for (const kind of ['validating', 'mutating'] as const) {
		const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/runners-admission`;
		const { webhooks } = await rig.kube.get<{
			webhooks: { name: string; clientConfig: { service: { path?: string } } }[];
		}>(path);
		const found = webhooks.find(({ name }) => webhookRoutes[kind][name] === route);
		if (found?.clientConfig.service.path) return found.clientConfig.service.path;
	}
	throw new Error(`no webhook has the path of ${route}`);
}

/** An AdmissionReview around this request. */
export const review = (request: unknown, apiVersion = 'admission.k8s.io/v1') =>
	JSON.stringify({ apiVersion, kind: 'AdmissionReview', request });
/** A request to delete this pod, by user `test`. */
export const deletion = (pod: unknown) => ({
	uid: 'test',
	operation: 'DELETE',
	resource: { group: '', version: 'v1', resource: 'pods' },
	userInfo: { username: 'test' },
	name: 'a',
	namespace: 'default',
	oldObject: pod,
});
