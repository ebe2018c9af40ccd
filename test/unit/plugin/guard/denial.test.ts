/** A denial is read from the causes of the Status, whatever the message says. */
import * as assert from 'uvu/assert';
import { causesOf, type Denial } from '../../../../admission/api/denial.ts';
import {
	describeDenial,
	guardDenial,
	isDeniedByGuard,
	isGuardUnreachable,
} from '../../../../plugin/guard/denial.ts';
import { ApiError } from '../../../../plugin/kube/failure.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: denials');

const busy: Denial = {
	reason: 'busy',
	state: 'is busy (12m): build (octo-org/app, run 42)',
	next: 'the pod is deleted when the job ends',
	recorded: true,
	job: 'build (octo-org/app, run 42)',
	since: '2026-11-23T11:48:00.000Z',
};
const denied = (webhook: string, text = 'no') => `admission webhook "${webhook}" denied the request: ${text}`;
const status = (denial: Denial, message: string) =>
	new ApiError(409, { message, details: { causes: causesOf(denial) } });

test("the guard's denial: every fact comes from the causes, none from the message", () => {
	for (const message of [denied('pods.runners-admission.svc'), 'whatever a later version may say'])
		assert.equal(guardDenial(status(busy, message)), busy);
});

test('what a person reads: the reason, and what happens next if it is recorded', () => {
	assert.is(
		describeDenial(busy),
		'it is busy (12m): build (octo-org/app, run 42). Recorded: the pod is deleted when the job ends',
	);
	assert.is(
		describeDenial({ ...busy, recorded: 'dry-run' }),
		'it is busy (12m): build (octo-org/app, run 42)',
	);
	assert.match(describeDenial({ ...busy, recorded: false }), /run 42\)\. Nothing is recorded: ask again$/);
	const leaving: Denial = {
		reason: 'owner-leaving',
		state: 'has ended and its StatefulSet is being deleted',
		next: 'the pod is deleted with its StatefulSet',
		recorded: false,
	};
	assert.is(
		describeDenial(leaving),
		'it has ended and its StatefulSet is being deleted. The pod is deleted with its StatefulSet',
	);
});

test("an error without the guard's causes is no denial of the guard's: its message is shown as it is", () => {
	const fieldOwned = { reason: 'FieldManagerConflict', message: 'conflict with "x"', field: '.spec' };
	for (const error of [
		new ApiError(403, { message: denied('policy.example.com') }),
		new ApiError(409, { message: denied('pods.runners-admission.svc') }),
		new ApiError(409, { message: 'Operation cannot be fulfilled', details: { causes: [fieldOwned] } }),
		new ApiError(429, { message: 'Cannot evict pod as it would violate' }),
	])
		assert.is(guardDenial(error), undefined, error.message);
});

test("who refused, and who gave no answer, by the API server's own texts", () => {
	assert.ok(isDeniedByGuard(new ApiError(403, { message: denied('updates.runners-admission.svc') })));
	assert.not(isDeniedByGuard(new ApiError(403, { message: denied('policy.example.com') })));
	const failing = (name: string) =>
		new ApiError(500, { message: `Internal error occurred: failed calling webhook "${name}": EOF` });
	assert.ok(isGuardUnreachable(failing('pods.runners-admission.svc')));
	assert.not(isGuardUnreachable(failing('other.example.com')));
	assert.not(isGuardUnreachable(new ApiError(500, { message: 'etcdserver: request timed out' })));
});

test.run();
