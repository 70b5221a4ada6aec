// Short messages that need no dialog: an answer with HX-Trigger: {"taskops:notice": {"text", "url", "label"}}.
import { onAnswer } from "./events.js";

const SHOWN_MS = 12_000;

/**
 * @typedef {object} Notice
 * @property {string} text
 * @property {string} [url] where more of it is
 * @property {string} [label] of the link there
 */

/** @param {Notice} notice */
const make = ({ text, url, label }) => {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.append(text);
  if (url) {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = label ?? url;
    notice.append(" ", link);
  }
  return notice;
};

export const notices = () => {
  onAnswer("taskops:notice", (/** @type {CustomEvent<Notice>} */ event) => {
    const notice = make(event.detail);
    document.getElementById("notices")?.append(notice);
    setTimeout(() => notice.remove(), SHOWN_MS);
  });
};
