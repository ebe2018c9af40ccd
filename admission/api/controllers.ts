/** The controllers that the leader runs, as `--controllers` names them. With `deletion` alone only the guard's loops run. */
export const controllers = [
	'deletion',
	'runnerset',
	'runnerdeployment',
	'horizontalrunnerautoscaler',
] as const;

export type Controller = (typeof controllers)[number];

/** The controllers of sets. */
export type SetController = Extract<Controller, 'runnerset' | 'runnerdeployment'>;

/** What `--controllers` turns on beside the guard, which always runs. */
interface Enabled {
	sets: readonly SetController[];
	autoscaling: boolean;
	/** With `deletion` alone ARC runs beside this server, and removes its finalizers itself. */
	arcTakeover: boolean;
}

export const enabledBy = (chosen: readonly Controller[]): Enabled => ({
	sets: (['runnerset', 'runnerdeployment'] as const).filter((name) => chosen.includes(name)),
	autoscaling: chosen.includes('horizontalrunnerautoscaler'),
	arcTakeover: chosen.some((name) => name !== 'deletion'),
});
