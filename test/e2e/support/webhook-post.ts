import { request } from 'node:https';

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

/** An AdmissionReview around this request. */
export const review = (request: unknown, apiVersion = 'admission.k8s.io/v1') =>
	JSON.stringify({ apiVersion, kind: 'AdmissionReview', request });
/** A request to delete this pod, by user `test`. */
export const deletion = (pod: unknown) => ({
	uid: 'test',
	operation: 'DELETE',
	userInfo: { username: 'test' },
	name: 'a',
	namespace: 'default',
	oldObject: pod,
});
