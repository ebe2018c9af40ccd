/** The worst pod: what each reading of it costs, once it is parsed. */
import type { Container, EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { setKeys } from '../../../admission/api/sets.ts';
import { trimPod } from '../../../admission/cluster/cache.ts';
import { jobPodEdits } from '../../../admission/guard/subjects/job-pod/rules/edits.ts';
import { updatePods } from '../../../admission/guard/update-pods.ts';
import { hookOtherPods } from '../../../admission/jobs/hooks/hook-other-pods.ts';
import { injectHooks } from '../../../admission/jobs/hooks/rules/inject.ts';
import { readJobPod } from '../../../admission/runner/job-pod.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { createPods } from '../../../admission/sets/inject-pods.ts';
import { lacksInjection } from '../../../admission/sets/pod/injection.ts';
import { jitContainer, signer } from '../../unit/runner/pods.ts';
import { kindsByThemselves } from '../../unit/support/guard.ts';
import { mostRoom, worstPods } from './pods.ts';
import type { WorstCase } from './worst-case.ts';

const hooks = { url: 'https://hooks.example', authorities: 'PEM', address: undefined };
const subjects = kindsByThemselves();
const request = { uid: 'u', userInfo: { username: 'me' }, namespace: 'ci' } as const;
const verify = signer.verifyStatement;

const slashes: EphemeralRunner = {
	metadata: { name: 'r1', uid: 'er' },
	spec: { githubConfigUrl: `https://github.com/${'/'.repeat(1_000_000)}x/` },
};

/** With the registration that ARC gives a scale set's. */
const ofScaleSet = (pod: Pod): Pod => ({
	...pod,
	spec: {
		...pod.spec,
		containers:
			pod.spec?.containers?.map((one) => ({
				...one,
				env: [...(one.env ?? []), ...(jitContainer('r1').env ?? [])],
			})) ?? [],
	},
});
const ofJob = (pod: Pod): Pod => ({
	...pod,
	metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, 'runner-pod': 'r1' } },
	spec: { ...pod.spec, containers: [...(pod.spec?.containers ?? []), { name: 'job' }] },
});
const ofSet = (pod: Pod): Pod => ({
	...pod,
	metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [setKeys.injectToken]: 'true' } },
});
/** With another image in each container. */
const withOtherImages = (pod: Pod): Pod => ({
	...pod,
	spec: {
		...pod.spec,
		containers: pod.spec?.containers?.map((one: Container) => ({ ...one, image: 'other' })) ?? [],
	},
});

const readings: Record<string, (pod: Pod) => () => unknown> = {
	'read as a runner': (pod) => () => readRunnerPod(pod, { verify, host: 'github.com' }),
	"read as a scale set's runner": (pod) => {
		const one = ofScaleSet(pod);
		return () => readRunnerPod(one, { verify, ephemeralRunner: slashes });
	},
	"read as a job's pod": (pod) => {
		const one = ofJob(pod);
		return () => readJobPod(one, verify);
	},
	'kept in the cache, and read there': (pod) => () => {
		const kept = trimPod(pod);
		if (!kept) throw new Error('not recognised');
		return readRunnerPod(kept, { verify });
	},
	'edited, as a runner': (pod) => {
		const after = withOtherImages(pod);
		return () =>
			updatePods({ ...request, operation: 'UPDATE', oldObject: pod, object: after }, 'us', subjects);
	},
	"edited, as a job's pod": (pod) => {
		const before = ofJob(pod);
		const read = readJobPod(before);
		if (!read) throw new Error('not recognised');
		return () => jobPodEdits(before, withOtherImages(before), read);
	},
	'given job hooks': (pod) => () =>
		hookOtherPods({ ...request, operation: 'CREATE', object: pod }, hooks, {
			in: async () => ({ state: 'accepted' }),
		}),
	'filled in for a set': (pod) => {
		const object = ofSet(pod);
		return () => {
			lacksInjection(object);
			createPods({ ...request, operation: 'CREATE', object }, (one) => injectHooks(one, hooks));
		};
	},
};

export const podCases: WorstCase[] = Object.entries(worstPods(mostRoom)).flatMap(([shape, made]) => {
	const text = JSON.stringify(made);
	const pod: Pod = JSON.parse(text); // its texts are then as those of a parsed answer
	return Object.entries(readings).map(([does, reading]) => ({
		does: `a pod is ${does}`,
		shape,
		bytes: Buffer.byteLength(text),
		prepare: () => reading({ ...pod }),
	}));
});
