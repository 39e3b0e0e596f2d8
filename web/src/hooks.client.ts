import type { HandleClientError } from '@sveltejs/kit';

/** What breaks a page is told in the console for those who look; a wrong address is no fault of the page. */
export const handleError: HandleClientError = ({ error, status }) => {
  if (status !== 404) console.error(error);
};
