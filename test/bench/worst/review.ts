/** The worst review of the API server's: its body, and from there to the answer. */
import type { Pod } from '../../../admission/api/kinds.ts';
import { deletePods } from '../../../admission/guard/delete-pods.ts';
import { evictPods } from '../../../admission/guard/evict-pods.ts';
import { updatePods } from '../../../admission/guard/update-pods.ts';
import { type AdmissionRequest, parseReview } from '../../../admission/webhook/review.ts';
import { deletion, review } from '../../e2e/support/webhook-post.ts';
import { known } from '../../unit/support/arrival.ts';
import { reviewParts } from '../../unit/support/guard.ts';
import { World } from '../../unit/support/world.ts';
import { mostRoom, worstPods } from './pods.ts';
import type { WorstCase } from './worst-case.ts';

/** A cluster that has this pod alone, whoever asks for what. */
function clusterOf(pod: Pod) {
	const world = new World();
	world.api.request = async <T>() => {
		await new Promise((resolve) => setImmediate(resolve)); // an answer of the API server's is a turn of its own
		return { ...pod } as T;
	};
	return { ...reviewParts(world), clock: { now: () => known.atMs, after: () => () => {} } };
}

const evictionOf = ({ metadata: { name, namespace } }: Pod) => ({
	...deletion(undefined),
	operation: 'CREATE',
	subResource: 'eviction',
	...{ name, namespace, object: { metadata: { name, namespace } } },
});

/** The request as it is once its body has been parsed. */
const parsed = (request: object) => parseReview(Buffer.from(review(request)));

export const reviewCases: WorstCase[] = Object.entries(worstPods(mostRoom)).flatMap(
	([shape, pod]): WorstCase[] => {
		const [one, eviction, update] = [
			deletion(pod),
			evictionOf(pod),
			{ ...deletion(pod), operation: 'UPDATE', object: pod },
		].map(parsed) as [AdmissionRequest, AdmissionRequest, AdmissionRequest];
		const cluster = clusterOf(pod);
		const body = Buffer.from(review(deletion(pod)));
		const of = (does: string, work: () => unknown) => ({
			does,
			shape,
			bytes: body.length,
			prepare: () => work,
		});
		return [
			{
				...of('a review of the API server is parsed', () => parseReview(body)),
				exempt: 'it is JSON.parse alone, of what an API server sends',
			},
			of('a DELETE is reviewed', () => deletePods({ ...one }, known, cluster)),
			of('an eviction is reviewed', () => evictPods({ ...eviction }, known, cluster)),
			of('an UPDATE is reviewed', () => updatePods({ ...update }, 'us', cluster.subjects)),
		];
	},
);
