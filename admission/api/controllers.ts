/** The reconcilers that the leader runs, as `--controllers` names them. `deletion`: the guard's own loops alone. */
export const controllers = ['deletion', 'runnerset', 'runnerdeployment'] as const;

export type Controller = (typeof controllers)[number];
