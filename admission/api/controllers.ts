/** The controllers that the leader runs, as `--controllers` names them. With `deletion` alone only the guard's loops run. */
export const controllers = [
	'deletion',
	'runnerset',
	'runnerdeployment',
	'horizontalrunnerautoscaler',
] as const;

export type Controller = (typeof controllers)[number];
