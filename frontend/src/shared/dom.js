// Elements by selector, each of the kind that the code means: an HTMLElement if it does not say.

/**
 * The class of an element: HTMLInputElement.
 *
 * @template {Element} E
 * @typedef {{ new (): E, prototype: E }} Kind
 */

/**
 * The first element that fits, if it is of the kind.
 *
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {Kind<E>} [kind]
 * @returns {E | null}
 */
export const find = (root, selector, kind = /** @type {any} */ (HTMLElement)) => {
  const found = root.querySelector(selector);
  return found instanceof kind ? found : null;
};

/**
 * The first element that fits, which the page always has: an error where it has none.
 *
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {Kind<E>} [kind]
 * @returns {E}
 */
export const need = (root, selector, kind) => {
  const found = find(root, selector, kind);
  if (!found) throw new Error(`no ${selector}`);
  return found;
};

/**
 * All elements that fit and are of the kind.
 *
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {Kind<E>} [kind]
 * @returns {E[]}
 */
export const findAll = (root, selector, kind = /** @type {any} */ (HTMLElement)) =>
  [...root.querySelectorAll(selector)].flatMap((element) => (element instanceof kind ? [element] : []));

/**
 * The element that fits and is, or holds, what an event is about.
 *
 * @template {Element} [E=HTMLElement]
 * @param {EventTarget | null} target
 * @param {string} selector
 * @param {Kind<E>} [kind]
 * @returns {E | null}
 */
export const around = (target, selector, kind = /** @type {any} */ (HTMLElement)) => {
  const found = target instanceof Element ? target.closest(selector) : null;
  return found instanceof kind ? found : null;
};

/**
 * The copy of what a <template> inside an element holds.
 *
 * @param {ParentNode} root
 * @returns {HTMLElement}
 */
export const copyOfTemplate = (root) => {
  const first = need(root, "template", HTMLTemplateElement).content.firstElementChild;
  return /** @type {HTMLElement} */ (/** @type {Element} */ (first).cloneNode(true));
};

/**
 * Say something to those who do not see the page.
 *
 * @param {string} words
 */
export const tell = (words) => {
  const status = document.getElementById("status");
  if (status) status.textContent = words;
};
