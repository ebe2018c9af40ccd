import { autoscaleKinds } from '../../../../admission/api/autoscale.ts';
import { setKinds } from '../../../../admission/api/sets.ts';
import { type Check, notMade } from '../facts.ts';
import { managesSets } from './webhooks.ts';

/** Since this minor version, matchConditions are stable; they restrict the webhooks to runner pods. */
const leastMinor = 30;

export const apiServer: Check = ({ apiServer: fetched }) => {
	const check = 'api-server';
	if (fetched.kind !== 'found') return notMade(check, fetched);
	const { gitVersion } = fetched.value;
	const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(gitVersion) ?? [];
	if (Number(major) > 1 || Number(minor) >= leastMinor) return { check, level: 'ok', message: gitVersion };
	return {
		check,
		level: 'error',
		message: `${gitVersion}: webhooks with matchConditions need Kubernetes 1.${leastMinor}`,
		advice: [
			'upgrade the cluster: an older one would send every pod to the guard, and depend on it for every pod',
		],
	};
};

/** The kinds that the controllers of sets need, if those are installed. */
export const setKindsServed: Check = ({ mutating, setResources }) => {
	const withSets = managesSets({ mutating });
	const check = 'kinds';
	const needed: string[] = Object.values(setKinds).map(({ resource }) => resource);
	const wanted = [...needed, ...Object.values(autoscaleKinds).map(({ resource }) => resource)];
	const served = setResources.kind === 'found' ? setResources.value : [];
	if (setResources.kind !== 'found' && setResources.kind !== 'not-found') return notMade(check, setResources);
	const missing = wanted.filter((resource) => !served.includes(resource));
	if (withSets && missing.length > 0) {
		return {
			check,
			// A server from before autoscaling lacks the others, and does not need them.
			level: missing.some((resource) => needed.includes(resource)) ? 'error' : 'warning',
			message: `installed with RunnerSets, but the API server does not serve ${missing.join(', ')} (v1alpha1)`,
			advice: ['kubectl runners install restores the definitions'],
		};
	}
	if (withSets) return { check, level: 'ok', message: `${wanted.join(', ')}: v1alpha1` };
	const others = served.filter((resource) => wanted.includes(resource));
	const whose =
		others.length > 0 ? `${others.join(', ')} belong to actions-runner-controller` : 'no RunnerSets here';
	return { check, level: 'ok', message: `the guard alone; ${whose}` };
};
