"""Take results in: who sends, how much, is it understood; each result on its own; acknowledged only when stored."""
