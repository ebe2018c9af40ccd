import type { Request } from 'express';
import { readBody } from './read-body.ts';
import { type Arrival, BadReview } from './review.ts';
import { largeBodyBytes, mostUnauthenticatedLargeBodies } from './rules/policy.ts';

/** Larger than any AdmissionReview of a pod: etcd keeps objects of up to 1.5 MiB, and an UPDATE carries two. */
const bodyLimit = 3 * 1024 * 1024;

/**
 * Reads the bodies of requests. Rejects with BadReview: 415 not JSON, 413 too large, 400 aborted, 503 where unauthenticated
 * callers send too many large ones at a time.
 */
export function bodyReader(): (request: Request, caller: Arrival['caller']) => Promise<Buffer> {
	let large = 0;
	return async (request, caller) => {
		const type = request.headers['content-type'] ?? '';
		if (!/^application\/json\s*(;|$)/i.test(type))
			throw new BadReview(415, `content type ${type || '(none)'} is not application/json`);
		const length = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
		if (length > bodyLimit && length < Number.POSITIVE_INFINITY) throw tooLarge();
		if (caller === 'known' || length <= largeBodyBytes) return wholeBody(request);
		if (large >= mostUnauthenticatedLargeBodies)
			throw new BadReview(503, 'too many large reviews of unknown callers at a time');
		large += 1;
		return wholeBody(request).finally(() => (large -= 1));
	};
}

const tooLarge = () => new BadReview(413, `the body is over ${bodyLimit} bytes`);

async function wholeBody(request: Request): Promise<Buffer> {
	const body = await readBody(request, (size) => (size > bodyLimit ? tooLarge() : undefined));
	if (body === 'broken-off') throw new BadReview(400, 'the caller closed the connection');
	if (body instanceof BadReview) throw body;
	return body;
}
