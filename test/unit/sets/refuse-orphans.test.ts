/** A pod whose StatefulSet is gone is not created: the StatefulSet controller's cache may be behind. */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { refuseOrphans } from '../../../admission/sets/refuse-orphans.ts';
import type { AdmissionRequest } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';
import { paths } from '../support/world.ts';

const test = suite('pods whose StatefulSet is gone');

const controller = 'system:serviceaccount:kube-system:statefulset-controller';
const self = 'system:serviceaccount:runners-system:runners-admission';

const pod = (uid: string, labels: Record<string, string> = { 'runnerset-name': 'example' }) => ({
	metadata: {
		name: 'example-x7k2p-0',
		labels,
		ownerReferences: [
			{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'example-x7k2p', uid, controller: true },
		],
	},
	spec: { containers: [{ name: 'runner' }] },
});

interface Case {
	/** The StatefulSet as it is now; undefined: there is none. */
	found: { uid: string; deletionTimestamp?: string } | undefined | KubeError;
	object?: object;
	user?: string;
	refused: boolean;
}

const cases: Record<string, Case> = {
	'it stands': { found: { uid: 'uid-1' }, refused: false },
	'it is gone': { found: undefined, refused: true },
	'another one has its name': { found: { uid: 'uid-2' }, refused: true },
	'it is being deleted': {
		found: { uid: 'uid-1', deletionTimestamp: '2026-11-23T12:00:00Z' },
		refused: true,
	},
	'it cannot be read': { found: new KubeError(500, '', 'etcd'), refused: false },
	'it is gone, and the reconciler asks': { found: undefined, user: self, refused: false },
	'it is gone, and the pod is of no RunnerSet': {
		found: undefined,
		object: pod('uid-1', {}),
		refused: false,
	},
};

for (const [what, { found, object = pod('uid-1'), user = controller, refused }] of Object.entries(cases))
	test(`${what}: ${refused ? 'refused' : 'not refused'}`, async () => {
		const api = new ApiServer(new SimulatedClock());
		const { log, lines } = recordingLog();
		if (found instanceof KubeError) api.fail('GET', /statefulsets/, found);
		else if (found)
			api.put(paths.statefulSets, { metadata: { name: 'example-x7k2p', namespace: 'ci', ...found } });
		const request: AdmissionRequest = {
			uid: 'u',
			operation: 'CREATE',
			namespace: 'ci',
			userInfo: { username: user },
			object,
		};
		const answer = await refuseOrphans(api, self, log)(request);
		if (!refused) assert.is(answer, undefined);
		else {
			assert.equal([answer?.allowed, answer?.status?.code, answer?.status?.details.causes], [false, 409, []]);
			assert.match(
				answer?.status?.message ?? '',
				/^pod ci\/example-x7k2p-0 is not created: its StatefulSet example-x7k2p is gone/,
			);
		}
		assert.is(lines.length, found instanceof KubeError ? 1 : 0);
	});

test.run();
