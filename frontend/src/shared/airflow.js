// Ways out of the frame. Its sandbox lets a page neither navigate the window nor open another one; links that belong
// to Airflow's own document may.
import { around, find } from "./dom.js";

/** The window of Airflow's page around this one, where there is one that may be looked into. */
const outer = () => {
  try {
    return parent !== window && parent.document ? parent : null;
  } catch {
    return null;
  }
};

/** @typedef {HTMLAnchorElement | SVGAElement} Link */

/**
 * Where a link leads; one in SVG has another kind of href.
 *
 * @param {Link} link
 */
const address = (link) => new URL(link.getAttribute("href") ?? "", document.baseURI);

/**
 * @param {string} href
 * @param {string} [target] the window, as a link names it
 */
const follow = (href, target = "") => {
  const document_ = (outer() ?? window).document;
  const link = document_.createElement("a");
  link.href = href;
  link.target = target;
  link.rel = "noopener";
  document_.body.append(link);
  link.click();
  link.remove();
};

/**
 * Airflow writes the frame's address into its own when the frame has loaded: what it may undo has to wait.
 *
 * @param {() => void} act
 */
export const afterLoad = (act) => {
  if (document.readyState === "complete") act();
  else addEventListener("load", () => setTimeout(act), { once: true });
};

/**
 * @param {Window} airflow
 * @param {URL} url a page of Airflow's
 */
const route = (airflow, url) => {
  afterLoad(() => {
    // Airflow's router listens to this event; its own navigation cannot be reached from here
    airflow.history.pushState(null, "", url.pathname + url.search + url.hash);
    airflow.dispatchEvent(new PopStateEvent("popstate"));
  });
};

/**
 * The address of a page of ours inside Airflow: its whole path, a prefix too, behind Airflow's.
 *
 * @param {Window} airflow
 * @param {URL} url
 */
const framed = (airflow, url) => {
  const base = new URL(airflow.document.baseURI).pathname;
  return `${base}plugin/taskops${url.pathname}${url.search}`;
};

/**
 * @param {MouseEvent} event
 * @param {Link} link
 */
const leave = (event, link) => {
  const airflow = outer();
  if (!airflow) return;
  const url = address(link);
  const isAirflows = "airflow" in link.dataset;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) {
    event.preventDefault();
    follow(isAirflows ? url.href : framed(airflow, url), "_blank");
  } else if (isAirflows && event.button === 0) {
    event.preventDefault();
    route(airflow, url);
  }
};

/** Links to Airflow's pages (data-airflow) change Airflow's page; a click with Ctrl opens a tab, as it should. */
export const followAirflow = () => {
  for (const kind of /** @type {const} */ (["click", "auxclick"])) {
    addEventListener(kind, (event) => {
      const link = /** @type {Link | null} */ (around(event.target, "a[href]", Element));
      const isPlain = kind === "click" || event.button === 1;
      if (link && "outside" in link.dataset && outer()) {
        // another site: neither in the frame, which refuses it, nor in place of Airflow
        event.preventDefault();
        follow(address(link).href, "_blank");
      } else if (link && isPlain && !event.defaultPrevented && address(link).origin === location.origin) {
        leave(event, link);
      }
    });
  }
};

/** A page for somebody signed out leads the whole window to the login, and back to where it was. */
export const signIn = () => {
  const link = find(document, "a[data-login]", HTMLAnchorElement);
  if (!link) return;
  const airflow = outer();
  const url = new URL(link.href);
  if (airflow) url.searchParams.set("next", airflow.location.pathname + airflow.location.search);
  link.addEventListener("click", (event) => {
    event.preventDefault();
    follow(url.href);
  });
  link.click();
};
