// Ways out of the frame. Its sandbox lets a page neither navigate the window nor open another one; links that belong
// to Airflow's own document may.

const outer = () => {
  try {
    return parent !== window && parent.document ? parent : null;
  } catch {
    return null;
  }
};

/** Where a link leads; one in SVG has another kind of href. */
const address = (link) => new URL(link.getAttribute("href"), document.baseURI);

const follow = (href, target = "") => {
  const airflow = outer();
  const document_ = airflow ? airflow.document : document;
  const link = document_.createElement("a");
  link.href = href;
  link.target = target;
  link.rel = "noopener";
  document_.body.append(link);
  link.click();
  link.remove();
};

/** Airflow writes the frame's address into its own when the frame has loaded: what it may undo has to wait. */
export const afterLoad = (act) => {
  if (document.readyState === "complete") act();
  else addEventListener("load", () => setTimeout(act), { once: true });
};

const route = (airflow, url) => {
  afterLoad(() => {
    // Airflow's router listens to this event; its own navigation cannot be reached from here
    airflow.history.pushState(null, "", url.pathname + url.search + url.hash);
    airflow.dispatchEvent(new PopStateEvent("popstate"));
  });
};

const framed = (url) => {
  // the address of a page of ours inside Airflow: its whole path, a prefix too, behind Airflow's
  const base = new URL(outer().document.baseURI).pathname;
  return `${base}plugin/taskops${url.pathname}${url.search}`;
};

const leave = (event, link) => {
  const airflow = outer();
  if (!airflow) return;
  const url = address(link);
  const isAirflows = "airflow" in link.dataset;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) {
    event.preventDefault();
    follow(isAirflows ? url.href : framed(url), "_blank");
  } else if (isAirflows && event.button === 0) {
    event.preventDefault();
    route(airflow, url);
  }
};

/** Links to Airflow's pages (data-airflow) change Airflow's page; a click with Ctrl opens a tab, as it should. */
export const followAirflow = () => {
  for (const kind of ["click", "auxclick"]) {
    addEventListener(kind, (event) => {
      const link = event.target.closest?.("a[href]");
      const isPlain = kind === "click" || event.button === 1;
      if (link && "outside" in link.dataset && outer()) {
        // another site: neither in the frame, which refuses it, nor in place of Airflow
        event.preventDefault();
        follow(link.href, "_blank");
      } else if (link && isPlain && !event.defaultPrevented && address(link).origin === location.origin) {
        leave(event, link);
      }
    });
  }
};

/** A page for somebody signed out leads the whole window to the login, and back to where it was. */
export const signIn = () => {
  const link = document.querySelector("a[data-login]");
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
