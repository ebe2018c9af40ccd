/** What `doctor` says of GitHub's events and of autoscalers. */
import * as assert from 'uvu/assert';
import { eventsPrefix } from '../../../../../admission/api/keys.ts';
import type { EventsReport, HookReport } from '../../../../../admission/api/report.ts';
import { diagnose } from '../../../../../plugin/verbs/doctor/checks/index.ts';
import { eventsReports } from '../../../../../plugin/verbs/doctor/events-reports.ts';
import type { Facts } from '../../../../../plugin/verbs/doctor/facts.ts';
import { suite } from '../../../../support/suite.ts';
import { autoscaler } from '../../autoscalers/autoscaler.ts';
import { ago, check, facts, found, missing, notAllowed } from './facts.ts';

const test = suite('plugin: doctor, autoscaling');

const hook = (more: Partial<HookReport> = {}): HookReport => ({
	hook: 'octo-org, webhook 7',
	lastDeliveryAt: ago(30),
	settings: { active: true, events: ['workflow_job'], host: 'runners.example.com', contentType: 'json' },
	...more,
});
const replica = (more: Partial<EventsReport> = {}): EventsReport => ({
	receiving: true,
	since: '2026-11-23T08:00:00.000Z',
	results: { written: 5 },
	hooks: [hook()],
	...more,
});
const counting = found([autoscaler()]);
const events = (reports: EventsReport[], more: Partial<Facts> = {}) =>
	check('events', { eventsReports: found(reports), ...more });

test('events come: when the last one came, from where, and what GitHub has configured', () => {
	const older = replica({ hooks: [hook({ lastDeliveryAt: ago(600), settings: undefined as never })] });
	assert.equal(events([older, replica()]), {
		check: 'events',
		level: 'ok',
		message: 'received: the last one 30s ago, from octo-org, webhook 7',
		details: ['octo-org, webhook 7: last 30s ago, at GitHub: active, workflow_job to runners.example.com'],
	});
});

test('the settings that another replica has read count as well', () => {
	const fresh = hook({ lastDeliveryAt: ago(5) });
	delete fresh.settings;
	const { details } = events([replica(), replica({ hooks: [fresh] })]);
	assert.equal(details, [
		'octo-org, webhook 7: last 5s ago, at GitHub: active, workflow_job to runners.example.com',
	]);
});

for (const [name, more, line] of [
	[
		'it is switched off at GitHub',
		{ settings: { active: false, events: ['workflow_job'] } },
		'it is not active',
	],
	[
		'it lacks the event',
		{ settings: { active: true, events: ['push'] } },
		'it lacks the event "Workflow jobs"',
	],
	[
		'its content type is a form',
		{ settings: { active: true, events: ['*'], contentType: 'form' } },
		'its content type is form, but must be application/json',
	],
	[
		'GitHub does not verify the certificate',
		{ settings: { active: true, events: ['*'], insecureSsl: true } },
		'GitHub does not verify the certificate (SSL verification is off)',
	],
	['deliveries failed', { failed: 2 }, '2 deliveries of the last hour failed, as GitHub reports'],
] as [string, Partial<HookReport>, string][]) {
	test(`a warning: ${name}`, () => {
		const { level, details = [] } = events([replica({ hooks: [hook(more)] })]);
		assert.is(level, 'warning');
		assert.is(details.at(-1), `octo-org, webhook 7: ${line}`);
	});
}

test('deliveries that were refused are a warning for an hour', () => {
	const refusal = (seconds: number) =>
		replica({
			results: { written: 1, 'bad-signature': 3 },
			lastRefusal: { at: ago(seconds), result: 'bad-signature' },
		});
	const { level, details = [] } = events([refusal(120), refusal(600)]);
	assert.is(level, 'warning');
	assert.is(details.at(-1), '6 deliveries refused (bad-signature), the last one 2m ago');
	assert.is(events([refusal(2 * 3600)]).level, 'ok');
});

test('a list that GitHub does not show is reported, and is not a failure', () => {
	const { level, details = [] } = events([replica({ hooks: [hook({ hidden: true })] })]);
	assert.is(level, 'ok');
	assert.match(
		details[0] ?? '',
		/failed deliveries cannot be fetched \(the credential lacks "Webhooks: read"\)$/,
	);
});

test('no secret: a warning where an autoscaler counts jobs, else as it may be', () => {
	const off = [replica({ receiving: false, hooks: [] })];
	assert.is(events(off).level, 'ok');
	const { level, message } = events(off, { autoscalers: counting });
	assert.equal([level, /asking GitHub, which is slower$/.test(message)], ['warning', true]);
	assert.is(events(off, { autoscalers: notAllowed }).level, 'warning');
	assert.is(events(off, { autoscalers: missing }).level, 'ok');
	assert.is(events(off, { autoscalers: found([autoscaler({ spec: { scaleUpTriggers: [] } })]) }).level, 'ok');
});

test('a secret, and nothing comes; one replica of two receives', () => {
	const silent = [replica({ hooks: [] }), replica({ hooks: [], receiving: false })];
	const { level, message } = events(silent, { autoscalers: counting });
	assert.equal([level, message], ['warning', 'none received by 1 of 2 replicas since 2026-11-23 08:00 UTC']);
	assert.is(events(silent).level, 'ok');
});

test('a server that tells nothing of events, or whose report may not be read, has no such check', () => {
	const checks = (more: Partial<Facts>) => diagnose(facts(more)).map((finding) => finding.check);
	assert.not(checks({ eventsReports: found([]) }).includes('events'));
	assert.not(checks({ eventsReports: notAllowed }).includes('events'));
});

test('autoscalers: what is wrong with each, in its own words', () => {
	const none = diagnose(facts()).find((finding) => finding.check === 'autoscalers');
	assert.is(none, undefined);
	const fine = autoscaler({ conditions: { ScalingActive: 'x', AtMaximum: 'y', Starting: 'z' } });
	assert.equal(check('autoscalers', { autoscalers: found([fine]) }).level, 'ok');
	const wrong = [
		fine,
		autoscaler({ name: 'lost', conditions: { TargetMissing: 'there is no RunnerSet ci/lost' } }),
		autoscaler({ name: 'new', status: { observedGeneration: 0 } }),
	];
	const finding = check('autoscalers', { autoscalers: found(wrong) });
	assert.equal(
		[finding.level, finding.message, finding.details],
		[
			'warning',
			'3 HorizontalRunnerAutoscalers, not all of which act as specified',
			[
				'ci/lost: TargetMissing: there is no RunnerSet ci/lost',
				'ci/new: the server has not reconciled it yet',
			],
		],
	);
	assert.match(check('autoscalers', { autoscalers: notAllowed }).message, /^not checked: you may not get it/);
});

test('what replicas tell is read by type, and what is none of theirs left out', () => {
	const good = replica({
		lastRefusal: { at: ago(1), result: 'failed' },
		hooks: [hook({ failed: 1, hidden: true })],
	});
	const odd = {
		receiving: true,
		since: 'x',
		results: { written: 'many', failed: 2 },
		lastRefusal: { at: 5 },
		hooks: [
			null,
			{ hook: 'h', lastDeliveryAt: 'y', failed: '7', settings: { active: true, events: [1, 'push'] } },
		],
	};
	assert.equal(
		eventsReports({
			[`${eventsPrefix}a`]: JSON.stringify(good),
			[`${eventsPrefix}b`]: JSON.stringify(odd),
			[`${eventsPrefix}c`]: 'not JSON',
			[`${eventsPrefix}d`]: 'null',
			other: '{"receiving":true,"since":"x"}',
		}),
		[
			good,
			{
				receiving: true,
				since: 'x',
				results: { failed: 2 },
				hooks: [{ hook: 'h', lastDeliveryAt: 'y', settings: { active: true, events: ['push'] } }],
			},
		],
	);
	assert.equal(eventsReports(), []);
});

test.run();
