// The events that htmx, and the answers of the server, send to the page.

/**
 * What htmx tells of a request, or of what it swapped in. Which parts are there depends on the event.
 *
 * @typedef {object} HtmxDetail
 * @property {HTMLElement} elt what asked, or what is new in the page
 * @property {HTMLElement} target where the answer goes
 * @property {XMLHttpRequest} xhr
 * @property {boolean} failed
 * @property {string} path
 * @property {Record<string, string>} parameters
 */

/**
 * Listen to an event of htmx, or to one that an answer names in HX-Trigger; all arrive at the body.
 *
 * @template [Detail=HtmxDetail]
 * @param {string} name
 * @param {(event: CustomEvent<Detail>) => void} act
 */
export const onAnswer = (name, act) => {
  document.body.addEventListener(name, (event) => act(/** @type {CustomEvent<Detail>} */ (event)));
};
