import { createHash } from 'node:crypto';
import { collectionPath, resources } from '../../api/paths.ts';
import type { KubeClient } from '../../kube/client.ts';
import { createObject } from '../../kube/objects.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import { type Caller, callerOf, type TokenStatus } from './rules/caller.ts';
import { hookAudience } from './rules/layout.ts';
import { acceptedForMs, mostTokens, refusedForMs, reviewWithinMs } from './rules/policy.ts';

type Answer = Caller | { why: string };

/** Asks the API server whose a token is, and remembers that for a short time. */
export class Tokens {
	readonly #client: KubeClient;
	readonly #clock: Clock;
	/** By the token's hash, so that no token is kept; by the monotonic clock. */
	readonly #known = new BoundedMap<string, Answer>({ most: mostTokens });

	constructor(client: KubeClient, clock: Clock) {
		this.#client = client;
		this.#clock = clock;
	}

	/** @throws KubeError if the API server could not be asked */
	async callerOf(token: string): Promise<Answer> {
		const hash = createHash('sha256').update(token).digest('base64');
		const known = this.#known.get(hash, this.#clock.monotonic());
		if (known) return known;
		const body = {
			apiVersion: 'authentication.k8s.io/v1',
			kind: 'TokenReview',
			spec: { token, audiences: [hookAudience] },
		};
		const path = collectionPath(resources.tokenReviews);
		const limits = { timeoutMs: reviewWithinMs };
		const review = await createObject<{ status?: TokenStatus }>(this.#client, path, body, limits);
		const answer = callerOf(review.status);
		const forMs = 'why' in answer ? refusedForMs : acceptedForMs;
		this.#known.set(hash, answer, this.#clock.monotonic(), forMs);
		return answer;
	}
}
