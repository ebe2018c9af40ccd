import { printable } from '../../../../admission/api/printable.ts';
import type { RunnerVersionReport } from '../../../../admission/api/report.ts';
import { ageSince } from '../../../print/age.ts';
import type { Check } from '../facts.ts';
import { count } from '../finding.ts';

/** The versions of runners, as their logs say. Where no log has been read, nothing is said. */
export const runnerVersions: Check = ({ report, nowMs }) => {
	const check = 'runner-versions';
	const found = report.kind === 'found' ? (report.value.runnerVersions ?? []) : [];
	if (found.length === 0) return undefined;
	const refused = found.filter(({ refusedSince }) => refusedSince !== undefined);
	const details = found.map((one) => lineOf(one, nowMs));
	if (refused.length === 0)
		return {
			check,
			level: 'ok',
			message: `GitHub takes the runners of ${count(found.length, 'set')}`,
			details,
		};
	return {
		check,
		level: 'warning',
		message: `GitHub refuses the version of the runners of ${count(refused.length, 'set')}: they get no jobs`,
		details,
		advice: ['use images with a newer runner: https://github.com/actions/runner/releases'],
	};
};

function lineOf(
	{ set, image, version = 'unknown', readAt, refusedSince, newestOfOwner, owner }: RunnerVersionReport,
	nowMs: number,
): string {
	const more = [
		refusedSince && `refused by GitHub for ${ageSince(refusedSince, nowMs)}`,
		newestOfOwner && `older than ${newestOfOwner}, which another set of ${owner} has`,
		`said ${ageSince(readAt, nowMs)} ago`,
	].filter(Boolean);
	return printable(`${set}: ${version} of ${image}, ${more.join(', ')}`);
}
