import type { IncomingMessage } from 'node:http';

/** Why a request is refused, with the status that says so. */
export class Refused extends Error {
	readonly status: number;
	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

/** Reads bodies whose signature nobody has looked at yet. */
export class Bodies {
	readonly #largest: number;
	readonly #most: number;
	/** Of all bodies that are being read now. */
	#bytes = 0;

	/** Bytes: of one body, and of all that are being read at a time. */
	constructor(largest: number, most: number) {
		this.#largest = largest;
		this.#most = most;
	}

	/** @throws Refused 413 too large, 400 broken off, 503 while all bodies together are too large to be kept */
	read(request: IncomingMessage): Promise<string> {
		const tooLarge = () => new Refused(413, `the body is over ${this.#largest} bytes`);
		if (Number(request.headers['content-length'] ?? 0) > this.#largest) return Promise.reject(tooLarge());
		const chunks: Buffer[] = [];
		let size = 0;
		const whole = new Promise<string>((resolve, reject) => {
			const refuse = (why: Refused) => {
				request.removeAllListeners('data').pause(); // not destroyed, because the answer is still to be sent
				reject(why);
			};
			request.on('data', (chunk: Buffer) => {
				size += chunk.length;
				this.#bytes += chunk.length;
				if (size > this.#largest) refuse(tooLarge());
				else if (this.#bytes > this.#most) refuse(new Refused(503, 'too much is being sent at a time'));
				else chunks.push(chunk);
			});
			request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
			request.once('error', () => reject(new Refused(400, 'the body broke off')));
			request.once('aborted', () => reject(new Refused(400, 'the body broke off')));
		});
		return whole.finally(() => {
			this.#bytes -= size;
		});
	}
}
