/** The table of sources, as a whole: what every source promises, those to come as well. */
import * as assert from 'uvu/assert';
import {
	afterReport,
	ended,
	type JobReport,
	reportsWork,
	worksBy,
} from '../../../admission/jobs/rules/job-signals.ts';
import { type JobSignal, readSignals, writeSignals } from '../../../admission/runner/job-signals.ts';
import { sourceNames, sourceOf } from '../../../admission/runner/signal-sources.ts';
import { suite } from '../../support/suite.ts';
import { signer } from './pods.ts';

const test = suite('sources of job signals');

const started = (by: JobReport['by'], key = 'a'): JobReport => ({
	by,
	says: 'started',
	key,
	job: { name: 'build' },
});
const reporting = sourceNames.filter((name): name is JobReport['by'] => sourceOf(name).comes === 'reported');

test('those of today', () => {
	assert.equal(sourceNames, ['log', 'hook', 'event']);
	assert.equal(reporting, ['hook', 'event']);
});

test('what a source says is read back from the pod', () => {
	const run = { uid: 'u', restarts: 0 };
	for (const by of sourceNames) {
		const signal: JobSignal = { by, key: 'a', state: 'working', sinceMs: 5, job: { name: 'build' } };
		const text = writeSignals([signal], run, signer.signStatement) ?? '';
		assert.equal(readSignals(text, run, signer.verifyStatement), [signal], by);
	}
});

test('a job that a source reports ends by its report of the end alone; what is read does not', () => {
	for (const by of sourceNames) {
		const signal: JobSignal = { by, key: 'a', state: 'working', sinceMs: 5, job: { name: 'build' } };
		assert.is(reportsWork(signal), sourceOf(by).comes === 'reported', by);
		assert.not(reportsWork({ ...signal, state: 'finishing' }), by);
	}
});

test("a report changes no other source's signal", () => {
	for (const by of reporting)
		for (const other of reporting.filter((name) => name !== by)) {
			const before = afterReport([], started(other), 1);
			const after = afterReport(before, started(by, 'b'), 2);
			assert.is(after.find((signal) => signal.by === other)?.state, 'working', `${by} after ${other}`);
		}
});

test('a source that reports in order has one job at a time; one that does not may have several', () => {
	for (const by of reporting) {
		const signals = afterReport(afterReport([], started(by), 1), started(by, 'b'), 2);
		const open = signals.filter(({ state }) => state === 'working').map(({ key }) => key);
		assert.equal(open.toSorted(), sourceOf(by).inOrder ? ['b'] : ['a', 'b'], by);
	}
});

test('a key that may repeat names the next job once its last one is long over; others name one job for ever', () => {
	for (const by of reporting) {
		const over = ended(afterReport([], started(by), 1), () => true, 2);
		const again = worksBy(afterReport(over, started(by), 60_000));
		assert.is(again, sourceOf(by).key === 'may-repeat' ? 'working' : undefined, by);
	}
});

test('where GitHub itself says that the job has completed, the first list that agrees is enough', () => {
	for (const name of sourceNames) {
		const { completedIsFinal, listEnds, key } = sourceOf(name);
		assert.is(listEnds.afterMs === 0, completedIsFinal, name);
		if (completedIsFinal) assert.equal([listEnds.state, key], ['finishing', 'github-job-id']);
	}
});

test.run();
