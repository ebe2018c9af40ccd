/** Nothing can wake a person without an entry that says what to do, and no alert or panel names what is not there. */

import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import { allowReasons, denyReasons } from '../../../admission/api/reasons.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

interface Alert {
	alert: string;
	expr: string;
	for?: string;
	labels: { severity: string };
	annotations: { summary: string; description: string; runbook: string };
}

const folder = 'manifests/components/monitoring';
const rules = load(read(`${folder}/alerts.yaml`)) as { spec: { groups: { rules: Alert[] }[] } };
const alerts = rules.spec.groups.flatMap((group) => group.rules);
const runbook = read('docs/runbook.md');

/** Metric names of ours and of Node's in a PromQL expression. */
function metricsIn(expression: string): string[] {
	const withoutLabels = expression.replaceAll(/\{[^}]*\}/g, '');
	return [...withoutLabels.matchAll(/\b(?:runners|process|nodejs)_\w+/g)].map(([name]) => name);
}

/** What the server exports, histograms with the names of their series. */
async function exported(): Promise<Set<string>> {
	const names = new Set<string>();
	for (const { name, type } of await new Metrics(systemClock).registry.getMetricsAsJSON()) {
		names.add(name);
		if (String(type) === 'histogram')
			for (const end of ['bucket', 'sum', 'count']) names.add(`${name}_${end}`);
	}
	return names;
}

/** As GitHub makes them from headings. */
function anchors(markdown: string): string[] {
	return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
		heading
			.toLowerCase()
			.replaceAll(/[^\w\- ]/g, '')
			.replaceAll(' ', '-'),
	);
}

const test = suite('monitoring and the runbook');

test('every reason that a verdict can have is a row of the runbook', () => {
	const reasons: readonly string[] = [...allowReasons, ...denyReasons];
	const rows = new Set([...runbook.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, reason]) => reason));
	assert.equal(
		reasons.filter((reason) => !rows.has(reason)),
		[],
	);
	assert.equal(
		[...rows].filter((row) => !reasons.includes(row ?? '')),
		[],
	);
});

test('every alert has an entry of its own, and points at it', () => {
	assert.ok(alerts.length >= 10, `${alerts.length} alerts found`);
	const known = anchors(runbook);
	for (const { alert, labels, annotations } of alerts) {
		assert.match(annotations.runbook, `docs/runbook.md#${alert.toLowerCase()}`);
		assert.ok(known.includes(alert.toLowerCase()), `no heading ${alert}`);
		assert.ok(annotations.summary && annotations.description, alert);
		assert.ok(['warning', 'critical'].includes(labels.severity), alert);
	}
	const entries = [...runbook.matchAll(/^### (Runners\w+)$/gm)].map(([, name]) => name);
	assert.equal(entries.sort(), alerts.map(({ alert }) => alert).sort());
});

test('rules are as the Prometheus operator takes them, with whole brackets and quotes', () => {
	for (const rule of alerts) {
		const { alert, expr, ...rest } = rule;
		assert.equal(
			Object.keys(rest).filter((key) => !['for', 'labels', 'annotations'].includes(key)),
			[],
			alert,
		);
		if (rule.for !== undefined) assert.match(rule.for, /^\d+[smh]$/);
		for (const [open, close] of ['()', '{}', '[]'])
			assert.is(expr.split(open ?? '').length, expr.split(close ?? '').length, `${alert}: ${open}${close}`);
		assert.is(expr.split('"').length % 2, 1, alert);
	}
});

test('links within the runbook and to operations lead somewhere', () => {
	const here = anchors(runbook);
	const operations = anchors(read('docs/operations.md'));
	const links = [...runbook.matchAll(/\]\((operations\.md)?#([\w-]+)\)/g)];
	assert.ok(links.length > 5);
	for (const [link, page, anchor = ''] of links)
		assert.ok((page ? operations : here).includes(anchor), `${link} leads nowhere`);
});

test('every metric in an alert or a panel is exported', async () => {
	const names = await exported();
	const dashboard = JSON.parse(read(`${folder}/dashboard.json`)) as {
		panels: { title: string; targets: { expr: string }[] }[];
	};
	const used = [
		...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
		...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
	];
	const unknown = used.flatMap(({ where, expr }) =>
		metricsIn(expr)
			.filter((name) => !names.has(name))
			.map((name) => `${where}: ${name}`),
	);
	assert.equal(unknown, []);
	const shown = new Set(used.flatMap(({ expr }) => metricsIn(expr)));
	const ours = (await new Metrics(systemClock).registry.getMetricsAsJSON()).map(({ name }) => name);
	const unused = ours.filter(
		(name) => name.startsWith('runners_') && !shown.has(name) && !shown.has(`${name}_bucket`),
	);
	assert.equal(unused, [], 'nobody looks at these');
});

test('every metric is in the operations page', async () => {
	const page = read('docs/operations.md');
	const names = (await new Metrics(systemClock).registry.getMetricsAsJSON()).map(({ name }) => name);
	const missing = names
		.filter((name) => name.startsWith('runners_'))
		.map((name) => name.replace(/^(runners_github_rate_limit)_(limit|reset_timestamp_seconds)$/, '_$2'))
		.filter((name) => !page.includes(`\`${name}`));
	assert.equal(missing, []);
});

test.run();
