import type { Summary } from './rows.ts';
import type { Scenario } from './settings.ts';

interface Panel {
	scenario: Scenario;
	summaries: readonly Summary[];
}

const panel = { width: 470, height: 320, left: 58, top: 40, right: 24, bottom: 46 };
/** Idle hours from left to right, seconds upwards, both logarithmic. What is below the least stands at the edge. */
const axes = {
	x: { from: 0.1, to: 1_000, ticks: [0.1, 1, 10, 100, 1_000] },
	y: { from: 10, to: 30_000, ticks: [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000] },
};
type Axis = (typeof axes)['x' | 'y'];

const style = `
	svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
	.paper { fill: #ffffff; } .text { fill: #24292f; } .soft { fill: #57606a; } .grid { stroke: #d8dee4; }
	.arc { fill: #bc4c00; stroke: #bc4c00; } .ours { fill: #0969da; stroke: #0969da; } .floor { stroke: #1a7f37; fill: #1a7f37; }
	.front { stroke: #0969da; fill: none; stroke-width: 1.5; stroke-dasharray: 4 3; } .title { font-weight: 600; }
	@media (prefers-color-scheme: dark) {
		.paper { fill: #0d1117; } .text { fill: #e6edf3; } .soft { fill: #9198a1; } .grid { stroke: #30363d; }
		.arc { fill: #f0883e; stroke: #f0883e; } .ours { fill: #58a6ff; stroke: #58a6ff; } .floor { stroke: #3fb950; fill: #3fb950; }
		.front { stroke: #58a6ff; }
	}`;

/** Wait against idle runners, one panel for each of the first four scenarios. */
export function chartOf(results: readonly Panel[]): string {
	const panels = results.slice(0, 4);
	const [width, height] = [2 * panel.width, 64 + Math.ceil(panels.length / 2) * panel.height];
	const drawn = panels.map((one, index) => {
		const place = `translate(${(index % 2) * panel.width} ${64 + Math.floor(index / 2) * panel.height})`;
		return `<g transform="${place}">${panelOf(one)}</g>`;
	});
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="95th percentile of the wait for a runner against idle pod-hours, for ARC's settings and ours">
<style>${style}
</style>
<rect class="paper" width="${width}" height="${height}"/>
<text class="text title" x="16" y="24">A day of about 4,000 jobs: what waiting and idle runners each setting costs (down and left is better)</text>
${legend()}
${drawn.join('\n')}
</svg>
`;
}

function legend(): string {
	return [
		`<circle class="ours" cx="22" cy="44" r="4"/><text class="soft" x="32" y="48">ours</text>`,
		`<circle class="arc" cx="92" cy="44" r="4"/><text class="soft" x="102" y="48">ARC, 12 settings</text>`,
		`<path class="floor" stroke-width="2" d="M232 44h24"/><text class="soft" x="262" y="48">the start-up itself: a pod is created in the instant a job arrives, and none is idle</text>`,
	].join('');
}

function panelOf({ scenario, summaries }: Panel): string {
	const parts = [`<text class="text title" x="${panel.left}" y="24">${scenario.name}</text>`];
	for (const tick of axes.x.ticks)
		parts.push(
			`<path class="grid" d="M${x(tick)} ${panel.top}V${bottom}"/>`,
			`<text class="soft" x="${x(tick)}" y="${bottom + 16}" text-anchor="middle">${tick.toLocaleString('en-US')}</text>`,
		);
	for (const tick of axes.y.ticks)
		parts.push(
			`<path class="grid" d="M${panel.left} ${y(tick)}H${panel.width - panel.right}"/>`,
			`<text class="soft" x="${panel.left - 6}" y="${y(tick) + 4}" text-anchor="end">${tick.toLocaleString('en-US')}</text>`,
		);
	parts.push(
		`<text class="soft" x="${(panel.left + panel.width) / 2}" y="${bottom + 34}" text-anchor="middle">idle pod-hours a day</text>`,
		`<text class="soft" transform="translate(13 ${(panel.top + bottom) / 2}) rotate(-90)" text-anchor="middle">wait, p95, s</text>`,
	);
	const floor = summaries.find(({ setting }) => setting === 'floor');
	if (floor)
		parts.push(
			`<path class="floor" stroke-width="2" d="M${panel.left} ${y(floor.p95.mean)}H${panel.width - panel.right}"/>`,
		);
	const ours = summaries.filter(({ setting }) => setting.startsWith('ours'));
	const front = ours.toSorted((one, other) => one.idleHours.mean - other.idleHours.mean);
	parts.push(`<path class="front" d="M${front.map(placeOf).join('L')}"/>`);
	for (const summary of summaries) if (/^(ARC|ours)/.test(summary.setting)) parts.push(point(summary));
	return parts.join('\n');
}

/** With a line from the best of the days to the worst. */
function point(summary: Summary): string {
	const { setting, p95, idleHours } = summary;
	const [across, up] = [x(idleHours.mean), y(p95.mean)];
	const said = `${setting}: ${p95.mean.toFixed(0)} s, ${idleHours.mean.toFixed(1)} h`;
	return `<g class="${setting.startsWith('ARC') ? 'arc' : 'ours'}"><title>${said}</title><path d="M${across} ${y(p95.least)}V${y(p95.most)}"/><circle cx="${across}" cy="${up}" r="4"/></g>`;
}

const bottom = panel.height - panel.bottom;
const placeOf = ({ idleHours, p95 }: Summary) => `${x(idleHours.mean)} ${y(p95.mean)}`;
const part = (value: number, { from, to }: Axis) =>
	Math.log(Math.min(to, Math.max(from, value)) / from) / Math.log(to / from);
const x = (hours: number) =>
	round(panel.left + part(hours, axes.x) * (panel.width - panel.left - panel.right));
const y = (seconds: number) => round(bottom - part(seconds, axes.y) * (bottom - panel.top));
const round = (value: number) => Math.round(value * 10) / 10;
