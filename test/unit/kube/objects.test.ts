import * as assert from 'uvu/assert';
import { KubeError, type RequestOptions } from '../../../admission/kube/client.ts';
import {
	applyObject,
	createUnlessPresent,
	deleteUnlessChanged,
	getObject,
	listObjects,
	mergePatch,
	servesResource,
	unlessChanged,
	unlessGone,
} from '../../../admission/kube/objects.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from './fake-client.ts';

const test = suite('Kubernetes verbs');

const path = '/api/v1/namespaces/ci/pods/runner';

const refusing = (code: number) =>
	fakeClient({
		request: async () => {
			throw new KubeError(code, '', `answer ${code}`);
		},
	});

/** A client that answers everything with `answer`, and the requests that it got. */
function recording(answer: unknown) {
	const calls: { method: string; path: string; options: RequestOptions }[] = [];
	const client = fakeClient({
		request: async (method, requested, options) => {
			calls.push({ method, path: requested, options });
			return answer;
		},
	});
	return { client, calls };
}

async function codeOf(call: Promise<unknown>): Promise<number> {
	try {
		await call;
	} catch (error) {
		if (error instanceof KubeError) return error.code;
		throw error;
	}
	throw new Error('the call did not fail');
}

test('get: an object that is not there is undefined; every other refusal is an error', async () => {
	assert.is(await getObject(refusing(404), path), undefined);
	for (const code of [0, 403, 409, 500]) assert.is(await codeOf(getObject(refusing(code), path)), code);
});

test('create unless present: 409 is "no", everything else is an error', async () => {
	assert.is(await createUnlessPresent(recording({}).client, path, {}), true);
	assert.is(await createUnlessPresent(refusing(409), path, {}), false);
	for (const code of [0, 403, 404]) {
		assert.is(await codeOf(createUnlessPresent(refusing(code), path, {})), code);
	}
});

test('create: what others’ use of a quota has disturbed is tried again, and is never taken for one that exists', async () => {
	const moved = new KubeError(
		409,
		'Conflict',
		'Operation cannot be fulfilled on resourcequotas "runners": ...',
	);
	const disturbed = (times: number) => {
		let left = times;
		const request = async () => {
			if (left-- > 0) throw moved;
			return {};
		};
		return fakeClient({ request });
	};
	assert.is(await createUnlessPresent(disturbed(2), path, {}), true);
	assert.is(await codeOf(createUnlessPresent(disturbed(3), path, {})), 409);
});

test('delete unless changed: gone and replaced are "no", everything else is an error', async () => {
	const { client, calls } = recording(undefined);
	assert.is(await deleteUnlessChanged(client, path, { preconditions: { uid: 'u1' } }), true);
	assert.is(calls[0]?.method, 'DELETE');
	assert.equal(calls[0]?.options.body, {
		apiVersion: 'v1',
		kind: 'DeleteOptions',
		preconditions: { uid: 'u1' },
	});
	assert.is(await deleteUnlessChanged(refusing(404), path, {}), false);
	assert.is(await deleteUnlessChanged(refusing(409), path, {}), false);
	for (const code of [0, 403, 429, 500]) {
		assert.is(await codeOf(deleteUnlessChanged(refusing(code), path, {})), code);
	}
});

test('unless gone swallows only 404, unless changed only 404 and 409', async () => {
	assert.is(await unlessGone(Promise.resolve('answer')), 'answer');
	assert.is(await unlessChanged(Promise.resolve('answer')), 'answer');
	const refused = (code: number) => Promise.reject(new KubeError(code, '', ''));
	assert.is(await unlessGone(refused(404)), undefined);
	assert.is(await codeOf(unlessGone(refused(409))), 409);
	assert.is(await unlessChanged(refused(404)), undefined);
	assert.is(await unlessChanged(refused(409)), undefined);
	assert.is(await codeOf(unlessChanged(refused(422))), 422);
});

test('a merge patch carries its preconditions in the metadata, beside what it changes there', async () => {
	const { client, calls } = recording({});
	const change = { metadata: { finalizers: ['a'] }, spec: { replicas: 2 } };
	await mergePatch(client, path, change, { uid: 'u1', resourceVersion: '7' }, { timeoutMs: 2_500 });
	assert.equal(calls, [
		{
			method: 'PATCH',
			path,
			options: {
				timeoutMs: 2_500,
				body: {
					metadata: { finalizers: ['a'], uid: 'u1', resourceVersion: '7' },
					spec: { replicas: 2 },
				},
				contentType: 'application/merge-patch+json',
			},
		},
	]);
});

test('an apply takes over fields that others have set', async () => {
	const { client, calls } = recording({});
	await applyObject(client, path, { kind: 'Pod' }, 'tests');
	assert.equal(calls[0]?.options.query, { fieldManager: 'tests', force: true });
	assert.is(calls[0]?.options.contentType, 'application/apply-patch+yaml');
});

test('a list gives the items that the query chooses', async () => {
	const { client, calls } = recording({ items: [{ metadata: { name: 'runner' } }] });
	const found = await listObjects(client, '/api/v1/pods', { fieldSelector: 'metadata.name=runner' });
	assert.equal(
		found.map(({ metadata }) => metadata.name),
		['runner'],
	);
	assert.equal(calls[0]?.options.query, { fieldSelector: 'metadata.name=runner' });
});

test('a resource is served where its group says so; no answer is "no"', async () => {
	const { client } = recording({ resources: [{ name: 'runnersets' }] });
	assert.is(await servesResource(client, '/apis/example.com/v1', 'runnersets'), true);
	assert.is(await servesResource(client, '/apis/example.com/v1', 'runners'), false);
	assert.is(await servesResource(refusing(404), '/apis/example.com/v1', 'runners'), false);
});

test.run();
