/** The bundle of `install` and `uninstall`. It contains all manifests, so no other verb loads it. */
import { runToExitCode } from '../run.ts';
import { type InstallOptions, runInstall } from './run-install.ts';
import { runUninstall, type UninstallOptions } from './run-uninstall.ts';

export function install(options: InstallOptions): Promise<number> {
	return runToExitCode(() => runInstall(options));
}

export function uninstall(options: UninstallOptions): Promise<number> {
	return runToExitCode(() => runUninstall(options));
}
