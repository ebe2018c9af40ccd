import { Agent, request } from 'node:https';
import type { Answer } from '../webhook-post.ts';
import type { FuzzedReview } from './reviews.ts';

/** Sends reviews to one port, over connections that are used again, as the API server does. */
export class Flood {
	readonly #port: number;
	readonly #agent: Agent;

	constructor(port: number, connections: number) {
		this.#port = port;
		this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
	}

	/** All of them, as many at a time as there are connections. */
	async send(
		reviews: Iterable<FuzzedReview>,
		answered: (review: FuzzedReview, answer: Answer) => void,
	): Promise<void> {
		const left = reviews[Symbol.iterator]();
		const worker = async () => {
			for (let next = left.next(); !next.done; next = left.next())
				answered(next.value, await this.post(next.value));
		};
		await Promise.all(Array.from({ length: this.#agent.maxSockets }, worker));
	}

	/** Once more, if the server closed the connection while the request was on its way. */
	async post(review: FuzzedReview): Promise<Answer> {
		for (let tries = 1; ; tries++) {
			try {
				return await this.#post(review);
			} catch (error) {
				const { code = '' } = error as NodeJS.ErrnoException;
				if (tries === 5 || !['ECONNRESET', 'EPIPE'].includes(code)) throw error;
			}
		}
	}

	#post({ path, body, contentType }: FuzzedReview): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const headers = { 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
			const call = request(
				{
					host: '127.0.0.1',
					port: this.#port,
					path: path || '/',
					method: 'POST',
					headers,
					agent: this.#agent,
					rejectUnauthorized: false,
				},
				async (response) => {
					try {
						const text = Buffer.concat(await response.toArray()).toString();
						resolve({ status: response.statusCode ?? 0, text });
					} catch (error) {
						reject(error);
					}
				},
			);
			call.once('error', reject);
			call.end(body);
		});
	}

	stop(): void {
		this.#agent.destroy();
	}
}
