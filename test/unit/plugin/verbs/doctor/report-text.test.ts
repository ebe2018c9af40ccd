import * as assert from 'uvu/assert';
import { explainCallFailure } from '../../../../../plugin/verbs/doctor/call-failure.ts';
import { worst } from '../../../../../plugin/verbs/doctor/finding.ts';
import { findingsText } from '../../../../../plugin/verbs/doctor/report-text.ts';
import { suite } from '../../../../support/suite.ts';

const test = suite('plugin: doctor, as text');

const called =
	'Internal error occurred: failed calling webhook "pods.runners-admission.svc": failed to call webhook: ';
for (const [message, text] of [
	['tls: failed to verify certificate: x509: certificate signed by unknown authority', 'unknown authority'],
	[
		'tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time',
		'has expired',
	],
	[
		'tls: failed to verify certificate: x509: certificate is valid for a, not b',
		'does not contain the name of the Service',
	],
	['no endpoints available for service "runners-admission"', 'no replica is ready'],
	['service "runners-admission" not found', 'its Service does not exist'],
	[
		'Post "https://x": dial tcp 127.0.0.1:9443: connect: connection refused',
		'nothing listens at its address',
	],
	['Post "https://x": EOF', 'nothing listens at its address'],
	['Post "https://x": context deadline exceeded', 'did not answer in time'],
	['remote error: tls: certificate required', 'it requires a client certificate'],
	['something new', 'something new'],
] as const)
	test(`not reached, as text: ${message.slice(0, 60)}`, () => {
		const { why, advice } = explainCallFailure(`${called}${message}`);
		assert.match(why, text);
		assert.ok(advice);
	});

test('as text: one line per check, its details and advice indented below, and the totals at the end', () => {
	const details = Array.from({ length: 12 }, (_, index) => `ci/r${index}`);
	const text = findingsText([
		{ check: 'leader', level: 'ok', message: 'host-1' },
		{ check: 'runner-pods', level: 'warning', message: 'odd\u001b[31m', details, advice: ['look'] },
	]);
	const lines = text.split('\n');
	assert.equal(lines.slice(0, 4), [
		'CHECK         STATUS    MESSAGE',
		'leader        ok        host-1',
		'runner-pods   warning   odd?[31m',
		'  - ci/r0',
	]);
	assert.equal(lines.slice(-5), [
		'  - ci/r9',
		'  - and 2 more (-o json shows all)',
		'  next: look',
		'0 errors, 1 warning, 1 ok',
		'',
	]);
	assert.equal([worst([]), worst(['ok', 'warning']), worst(['error', 'ok'])], ['ok', 'warning', 'error']);
});

test.run();
