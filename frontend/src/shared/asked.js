// What a page puts in anew by itself does not take away the button that somebody has just pressed: htmx drops the
// answer to an element that has gone, and the dialog would never open. The next time it is put in anew.
import { onAnswer } from "./events.js";

/**
 * What htmx tells before it puts a part of an answer into another place.
 *
 * @typedef {object} PartDetail
 * @property {Element} target what would go
 * @property {boolean} shouldSwap
 */

export const keepAsked = () => {
  onAnswer(
    "htmx:oobBeforeSwap",
    /** @param {CustomEvent<PartDetail>} event */ (event) => {
      if (event.detail.target.querySelector(".htmx-request")) event.detail.shouldSwap = false;
    },
  );
};
