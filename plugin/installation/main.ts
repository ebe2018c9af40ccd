/**
 * The bundle behind `install` and `uninstall`: with all manifests inside, and loaded by nobody else.
 */
import { runToExitCode } from '../run.ts';
import { type InstallOptions, runInstall } from './run-install.ts';
import { runUninstall, type UninstallOptions } from './run-uninstall.ts';

export function install(options: InstallOptions): Promise<number> {
	return runToExitCode(() => runInstall(options));
}

export function uninstall(options: UninstallOptions): Promise<number> {
	return runToExitCode(() => runUninstall(options));
}
