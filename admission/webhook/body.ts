import type { Request } from 'express';
import type { Clock } from '../time/clock.ts';
import { readBody } from './read-body.ts';
import { type Arrival, BadReview } from './review.ts';
import { UnusableJson } from './rules/json-scanner.ts';
import { LargeReview } from './rules/large-review.ts';
import {
	deepestReview,
	largeBodyBytes,
	mostHeldBytes,
	mostKept,
	mostReadInTurn,
	mostUnauthenticatedBytes,
	mostWholeBytes,
} from './rules/policy.ts';

type Caller = Arrival['caller'];

/** The body of a request. */
interface Body {
	json: Buffer;
	/** It was so large that its long values were left out: they are null in `json`. */
	reduced: boolean;
	/** Its review has been answered, and nothing of it is held any longer. */
	release(): void;
}

/**
 * Reads the bodies of requests, and limits what is held of large ones at a time. A body is always read to its end: whoever is
 * answered before may not see the answer (Go reports that it could not send the rest), and the API server then lets an
 * eviction through.
 */
export class Bodies {
	/** How many bytes of large bodies are held. */
	readonly #held: Record<Caller, number> = { known: 0, unauthenticated: 0 };
	readonly #clock: Pick<Clock, 'sleep'>;
	/** How many bytes of large bodies have been read in this turn of the event loop. */
	#readInTurn = 0;
	/** Resolves in the next turn; undefined: nobody waits for it. */
	#nextTurn: Promise<void> | undefined;

	constructor(clock: Pick<Clock, 'sleep'>) {
		this.#clock = clock;
	}

	/**
	 * Rejects with BadReview: 415 not JSON by its header, 413 too large for an unauthenticated caller, 400 broken off or not
	 * JSON, 503 where too much of large bodies is held already.
	 */
	async read(request: Request, caller: Caller): Promise<Body> {
		const type = request.headers['content-type'] ?? '';
		if (!/^application\/json\s*(;|$)/i.test(type))
			throw new BadReview(415, `content type ${type || '(none)'} is not application/json`);
		const length = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
		const wholeBytes = mostWholeBytes[caller];
		const heldBytes = length <= largeBodyBytes ? 0 : Math.min(length, wholeBytes);
		const isRoom = heldBytes === 0 || this.#held[caller] + heldBytes <= mostHeldBytes[caller];
		if (!isRoom) {
			await this.#readToItsEnd(request, caller, () => {});
			throw new BadReview(503, 'too many large reviews at a time');
		}
		this.#held[caller] += heldBytes;
		const release = () => {
			this.#held[caller] -= heldBytes;
		};
		try {
			const body =
				length <= wholeBytes
					? { json: await wholeBody(request), reduced: false }
					: await this.#largeBody(request, caller, wholeBytes);
			return { ...body, release };
		} catch (error) {
			release();
			throw error instanceof UnusableJson
				? new BadReview(400, `the body is not JSON: ${error.message}`)
				: error;
		}
	}

	/** The body of a request that has said that it is long, or not how long it is: in the end it may be short. */
	async #largeBody(
		request: Request,
		caller: Caller,
		wholeBytes: number,
	): Promise<Pick<Body, 'json' | 'reduced'>> {
		const large = new LargeReview({ ...mostKept[caller], depth: deepestReview });
		const chunks: Buffer[] = [];
		const size = await this.#readToItsEnd(request, caller, (chunk, sizeSoFar) => {
			large.write(chunk);
			if (sizeSoFar <= wholeBytes) chunks.push(chunk);
			else chunks.length = 0;
		});
		return size > wholeBytes
			? { json: large.end(), reduced: true }
			: { json: Buffer.concat(chunks), reduced: false };
	}

	/** Calls back for each part, with the size so far, and gives way to other work again and again. */
	async #readToItsEnd(
		request: Request,
		caller: Caller,
		onPart: (part: Buffer, size: number) => void,
	): Promise<number> {
		let size = 0;
		const parts = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>; // the answer is still to be sent
		try {
			for await (const part of parts) {
				size += part.length;
				if (caller !== 'known' && size > mostUnauthenticatedBytes)
					throw new BadReview(413, `the body is over ${mostUnauthenticatedBytes} bytes`);
				onPart(part, size);
				await this.#giveWay(part.length);
			}
		} catch (error) {
			throw error === request.errored ? brokenOff() : error;
		}
		return size;
	}

	/** Of all that is read together: of five connections that bring megabytes, each could fill the turn. */
	async #giveWay(read: number): Promise<void> {
		this.#readInTurn += read;
		if (this.#readInTurn < mostReadInTurn) return;
		this.#nextTurn ??= this.#clock.sleep(0).then(() => {
			this.#readInTurn = 0;
			this.#nextTurn = undefined;
		});
		await this.#nextTurn;
	}
}

const brokenOff = () => new BadReview(400, 'the caller closed the connection');

/** The body of a request that has said how long it is. */
async function wholeBody(request: Request): Promise<Buffer> {
	const body = await readBody(request, () => undefined);
	if (body === 'broken-off') throw brokenOff();
	return body ?? Buffer.alloc(0);
}
