/**
 * Replaces the plugins of @octokit/rest in the server's bundle (scripts/build.ts): methods for each of GitHub's endpoints,
 * paging, a log. This project calls `request` alone (see http.ts).
 */
const nothing = () => ({});

export { nothing as legacyRestEndpointMethods, nothing as paginateRest, nothing as requestLog };
