// What scrolls sideways can be reached by the keyboard.
for (const element of document.querySelectorAll(".md-typeset pre > code")) element.tabIndex = 0;
