import type { IncomingMessage } from 'node:http';
import { readBody } from '../../webhook/read-body.ts';
import { type CommonResult, overloaded, Refusal } from './answer.ts';

/** Reads bodies whose signature has not been verified. */
export class Bodies {
	readonly #largest: number;
	readonly #most: number;
	/** Bytes of all bodies that are being read now. */
	#bytes = 0;

	/** Bytes: of one body, and of all that are being read at a time. */
	constructor(largest: number, most: number) {
		this.#largest = largest;
		this.#most = most;
	}

	async read(request: IncomingMessage): Promise<string | Refusal<CommonResult>> {
		if (Number(request.headers['content-length'] ?? 0) > this.#largest) return this.#tooLarge();
		let read = 0;
		const body = await readBody(request, (size, added) => {
			read = size;
			this.#bytes += added;
			if (size > this.#largest) return this.#tooLarge();
			return this.#bytes > this.#most ? overloaded('too many bytes are being received at once') : undefined;
		});
		this.#bytes -= read;
		if (body === 'broken-off') return new Refusal(400, 'unreadable', 'the body was cut off');
		return body instanceof Refusal ? body : body.toString('utf8');
	}

	#tooLarge(): Refusal<CommonResult> {
		return new Refusal(413, 'too-large', `the body is over ${this.#largest} bytes`);
	}
}
